/** An object for programs: what is called `…At`, `…From` or `…To` as ISO 8601. */
export function withInstants(value: object): object {
  const isInstant = (name: string, of: unknown) => /(At|From|To)$/.test(name) && typeof of === 'number';
  return Object.fromEntries(
    Object.entries(value).map(([name, of]) => [name, isInstant(name, of) ? new Date(of).toISOString() : of]),
  );
}
