/**
 * How a call differs from what the service sends as a rule, for a server that refuses that form: without a parameter that the
 * caller did not choose, or with the limit of tokens under its other name.
 */
export type Adaptation = 'without_stream_options' | 'without_stream' | 'max_tokens' | 'max_completion_tokens';

/** Adaptations of which a call has only one. */
const opposites: ReadonlyMap<Adaptation, Adaptation> = new Map([
  ['max_tokens', 'max_completion_tokens'],
  ['max_completion_tokens', 'max_tokens'],
]);

/** Some adaptations and one more, which replaces its opposite. */
export function withAdaptation(some: readonly Adaptation[], one: Adaptation): readonly Adaptation[] {
  return [...some.filter((other) => other !== one && other !== opposites.get(one)), one];
}
