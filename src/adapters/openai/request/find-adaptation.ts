import type { Adaptation } from '../../../domain/parameters/adaptation.ts';
import type { WireBody } from './map-request.ts';

/** A refusal of a call. */
export interface Refusal {
  readonly httpStatus: number;
  /** The parameter that the server names in a member of its own; null when it names none there. */
  readonly param: string | null;
  /** The whole error body. */
  readonly text: string;
}

/** Refusals with these statuses are about the account, the model's name or the time, not about a parameter. */
const OTHER_SUBJECTS: ReadonlySet<number> = new Set([401, 402, 404, 408, 409, 413, 429]);

/** Organizations that are not verified may not stream some models. */
const STREAMING_REFUSED = [
  /\bverified to (?:use )?stream/i,
  /\bstream(?:ing)?\b[^.]{0,80}\b(?:un|not )(?:supported|available|allowed|enabled|permitted)/i,
  /(?:\bnot|n't|\bcannot)\b[^.]{0,40}\bstream(?:ing|ed)?\b/i,
];
/** The server knows the parameter and refuses its value. */
const VALUE_REFUSED =
  /\btoo (?:large|high|big|long|small|low)\b|\bat (?:most|least)\b|\b(?:less|greater) than\b|\bexceed|\bmaximum\b/i;

/**
 * Finds out what to send instead of a call that a server refused because of something that the service added: a parameter, or
 * its choice between two names. The caller's own parameters are never left out.
 *
 * @param body as it was sent
 * @returns null when nothing of that kind is named
 */
export function findAdaptation(body: WireBody, refusal: Refusal): Adaptation | null {
  const { httpStatus, param, text } = refusal;
  if (httpStatus < 400 || httpStatus > 499 || OTHER_SUBJECTS.has(httpStatus)) return null;
  const name = param?.split(/[.[]/, 1)[0] ?? null;
  const isNamed = (parameter: string) =>
    name === null ? new RegExp(`\\b${parameter}\\b`).test(text) : name === parameter;
  if (body['stream_options'] !== undefined && isNamed('stream_options')) return 'without_stream_options';
  if (body['stream'] === true && (name === null || name === 'stream')) {
    if (name === 'stream' || STREAMING_REFUSED.some((words) => words.test(text))) return 'without_stream';
  }
  return VALUE_REFUSED.test(text) ? null : otherName(body, text, isNamed);
}

function otherName(body: WireBody, text: string, isNamed: (parameter: string) => boolean): Adaptation | null {
  if (body['max_completion_tokens'] !== undefined && isNamed('max_completion_tokens')) return 'max_tokens';
  // A server that wants the newer name says so.
  const wantsNewer = isNamed('max_tokens') && text.includes('max_completion_tokens');
  return body['max_tokens'] !== undefined && wantsNewer ? 'max_completion_tokens' : null;
}
