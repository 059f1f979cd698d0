/** Resolves when everything has happened that needs no time to pass. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
