import type { ReportedUsage } from '../../../domain/cost/usage.ts';
import { isObject } from '../../../domain/text/is-object.ts';
import type { WireObject } from '../wire/wire.ts';
import { mapUsage } from './map-usage.ts';

/**
 * The usage of one answer, from wherever servers write it: `usage` of a chunk, `x_groq.usage`, `choices[0].usage`. The last
 * one holds, except that an empty usage or zeros never replace counts that were reported before.
 */
export class AnswerUsage {
  #best: ReportedUsage | null = null;
  #isNew = false;

  /** @returns whether the chunk has a usage, with counts or with zeros */
  note(chunk: WireObject): boolean {
    const ofGroq = chunk['x_groq'];
    const choices = chunk['choices'];
    const first: unknown = Array.isArray(choices) ? choices[0] : null;
    // From the least to the most usual place: the last one holds.
    const inChoice = isObject(first) && this.#take(first['usage']);
    const inGroq = isObject(ofGroq) && this.#take(ofGroq['usage']);
    const isUsual = this.#take(chunk['usage']);
    return inChoice || inGroq || isUsual;
  }

  /** The current usage; null if there is no usage, or if it was taken before. */
  takeNew(): ReportedUsage | null {
    if (!this.#isNew) return null;
    this.#isNew = false;
    return this.#best;
  }

  #take(raw: unknown): boolean {
    if (raw === null || raw === undefined) return false;
    const usage = mapUsage(raw);
    if (usage === null) return false;
    const best = this.#best === null ? usage : laterUsage(this.#best, usage);
    this.#isNew ||= best !== this.#best;
    this.#best = best;
    return true;
  }
}

const inputSide = [
  'inputTokens',
  'cachedInputTokens',
  'cacheWriteTokens',
  'inputTextTokens',
  'inputImageTokens',
  'inputAudioTokens',
] as const;

const outputSide = [
  'outputTokens',
  'reasoningTokens',
  'outputTextTokens',
  'outputAudioTokens',
  'acceptedPredictionTokens',
  'rejectedPredictionTokens',
] as const;

/** The later usage, each side that it lacks from the earlier one: some servers report the prompt first and the answer last. */
function laterUsage(earlier: ReportedUsage, later: ReportedUsage): ReportedUsage {
  const keepsInput = !later.inputTokens && (earlier.inputTokens ?? 0) > 0;
  const keepsOutput = !later.outputTokens && (earlier.outputTokens ?? 0) > 0;
  const hasNothing = !later.inputTokens && !later.outputTokens;
  if (hasNothing && (keepsInput || keepsOutput)) return earlier;
  if (!keepsInput && !keepsOutput) return withDetails(earlier, later);
  const kept: readonly (keyof ReportedUsage)[] = keepsInput ? inputSide : outputSide;
  const members = Object.fromEntries(kept.map((name) => [name, earlier[name]]));
  // Its total may be that of its own side alone.
  return { ...later, ...members, totalTokens: null };
}

/** The later usage. A side with the same count keeps the details that only the earlier one has, such as cached tokens. */
function withDetails(earlier: ReportedUsage, later: ReportedUsage): ReportedUsage {
  const same = [
    ...(later.inputTokens === earlier.inputTokens ? inputSide : []),
    ...(later.outputTokens === earlier.outputTokens ? outputSide : []),
  ];
  const kept = same.filter((name) => later[name] === null && earlier[name] !== null);
  return { ...later, ...Object.fromEntries(kept.map((name) => [name, earlier[name]])) };
}
