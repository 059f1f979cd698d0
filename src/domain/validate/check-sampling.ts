import type { ChatRequest } from '../../contract/record-types.ts';
import { LIMITS } from './limits.ts';
import type { ProblemList } from './problem-list.ts';

/** The provider's lower and upper bounds, both inclusive. */
const ranges = [
  ['temperature', 0, 2],
  ['topP', 0, 1],
  ['presencePenalty', -2, 2],
  ['frequencyPenalty', -2, 2],
] as const;

/** The provider's bound of whole numbers: below it, JSON carries them exactly in every language. */
const SEED_MAX = 9_007_199_254_740_990;
const MAX_STOPS = 4;
const MAX_TOP_LOGPROBS = 20;
const MAX_BIAS = 100;
const TOKEN_ID = /^\d{1,9}$/;

/** The provider's names of the token limit. */
const LIMIT_NAMES: readonly string[] = ['max_tokens', 'max_completion_tokens'];

/** Checks the sampling parameters. */
export function checkSampling(request: ChatRequest, list: ProblemList): void {
  for (const [name, min, max] of ranges) {
    const value = request[name];
    if (value !== null && !isWithin(value, min, max))
      list.add(name, 'out_of_range', `it must be a number from ${min} to ${max}`);
  }
  const { n, seed, maxOutputTokens, maxTokensParameter, stop } = request;
  if (n !== null && !isWithin(n, 1, LIMITS.choices))
    list.add('n', 'out_of_range', `it must be from 1 to ${LIMITS.choices}`);
  if (seed !== null && !isWithin(seed, -SEED_MAX, SEED_MAX)) {
    list.add(
      'seed',
      'out_of_range',
      `it must be within ±${SEED_MAX}, where JSON carries whole numbers exactly`,
    );
  }
  if (maxOutputTokens !== null && maxOutputTokens < 0)
    list.add('maxOutputTokens', 'out_of_range', 'it must be at least 1, or 0 for no limit');
  if (maxTokensParameter !== null && !LIMIT_NAMES.includes(maxTokensParameter))
    list.add('maxTokensParameter', 'unknown_value', `it must be one of ${LIMIT_NAMES.join(', ')}`);
  if (stop.length > MAX_STOPS)
    list.add(
      'stop',
      'too_large',
      `there are ${stop.length} stop texts, but at most ${MAX_STOPS} are allowed`,
    );
  checkLogprobs(request, list);
  checkLogitBias(request, list);
}

function checkLogprobs({ logprobs, topLogprobs }: ChatRequest, list: ProblemList): void {
  if (topLogprobs === null) return;
  if (!isWithin(topLogprobs, 0, MAX_TOP_LOGPROBS))
    list.add('topLogprobs', 'out_of_range', `it must be from 0 to ${MAX_TOP_LOGPROBS}`);
  if (logprobs !== true) list.add('topLogprobs', 'conflict', 'it needs logprobs to be true');
}

function checkLogitBias({ logitBias }: ChatRequest, list: ProblemList): void {
  const biases = Object.entries(logitBias);
  if (biases.length > LIMITS.logitBiases) {
    list.add(
      'logitBias',
      'too_large',
      `there are ${biases.length}, but at most ${LIMITS.logitBiases} are allowed`,
    );
  } else if (biases.some(([token]) => !TOKEN_ID.test(token))) {
    list.add('logitBias', 'invalid_value', 'its keys must be token ids, which are whole numbers');
  } else {
    for (const [token, bias] of biases) {
      if (!isWithin(bias, -MAX_BIAS, MAX_BIAS))
        list.add(
          `logitBias.${token}`,
          'out_of_range',
          `it must be a number from -${MAX_BIAS} to ${MAX_BIAS}`,
        );
    }
  }
}

/** Also false for NaN. */
function isWithin(value: number, min: number, max: number): boolean {
  return value >= min && value <= max;
}
