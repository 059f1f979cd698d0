/** Whether a value of parsed JSON is an object: not null, not a list. Any member may be missing or of any type. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
