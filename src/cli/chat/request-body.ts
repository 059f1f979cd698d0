/**
 * Reads the body of a Chat Completions request that `--file` names.
 *
 * @throws if it is not a JSON object
 */
export function parseRequestBody(path: string, text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`--file ${path} is not JSON: ${(error as SyntaxError).message}`);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw new Error(`--file ${path} must hold one JSON object, the body of a Chat Completions request`);
}
