/** A JSON object as it came over the wire: any member may be missing or of any type. */
export type WireObject = Readonly<Record<string, unknown>>;

/** The text, or null when it is absent, empty or no text. */
export function textOrNull(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}
