/** An object for programs: instants (`…At`, `…From`, `…To`) in ISO 8601. */
export function withInstants(value: object): object {
  const isInstant = (name: string, of: unknown) => /(At|From|To)$/.test(name) && typeof of === 'number';
  return Object.fromEntries(
    Object.entries(value).map(([name, of]) => [name, isInstant(name, of) ? new Date(of).toISOString() : of]),
  );
}
