/**
 * A change of the form of a call for a server that refuses the usual form: without a parameter that the caller did not choose,
 * or with the token limit under its other name.
 */
export type Adaptation = 'without_stream_options' | 'without_stream' | 'max_tokens' | 'max_completion_tokens';

/** Adaptations that exclude each other. */
const opposites: ReadonlyMap<Adaptation, Adaptation> = new Map([
  ['max_tokens', 'max_completion_tokens'],
  ['max_completion_tokens', 'max_tokens'],
]);

/** Adds an adaptation, which replaces its opposite. */
export function withAdaptation(some: readonly Adaptation[], one: Adaptation): readonly Adaptation[] {
  return [...some.filter((other) => other !== one && other !== opposites.get(one)), one];
}
