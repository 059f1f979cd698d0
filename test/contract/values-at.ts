/** All values at a path such as `choices[].delta.content`, through all list items, without null and absent ones. */
export function valuesAt(root: unknown, path: string): unknown[] {
  let values = [root];
  for (const step of path.split('.')) {
    const name = step.replace('[]', '');
    values = values.flatMap((value) => (isObject(value) && !Array.isArray(value) ? [value[name]] : []));
    if (step.endsWith('[]')) values = values.flatMap((value) => (Array.isArray(value) ? value : []));
  }
  return values.filter((value) => value !== null && value !== undefined);
}

/**
 * Whether a value arrived at a path, in any form that the path has: text may contain it (bytes as
 * base64 in a URL, a member inside JSON text), anything else must equal it. Seconds may have become milliseconds.
 */
export function carries(place: unknown, value: unknown): boolean {
  const forms = [asText(value), ...(typeof value === 'number' ? [String(value * 1000)] : [])];
  const text = asText(place);
  const mayHoldMore = typeof place === 'string' || isObject(place);
  return forms.some((form) => (mayHoldMore ? text.includes(form) : text === form));
}

function asText(value: unknown): string {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !(value instanceof Uint8Array);
}
