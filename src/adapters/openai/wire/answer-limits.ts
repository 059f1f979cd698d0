import type { ChatFailure } from '../../../domain/failures/chat-failure.ts';
import { ProviderError } from '../../../domain/failures/failure-classes.ts';

/**
 * What one answer may have. Everything that a provider sends is held to these limits where it enters, so that one answer
 * takes neither the worker's memory nor its event loop. They are far above what current models send.
 */
export const answerLimits = {
  /** Status line and headers: the HTTP client's own limit (Node's default). */
  headerBytes: 16_384,
  /** A line or an event of a stream. 30 s of WAV audio in one piece has 4 million characters of base64 at most. */
  eventCharacters: 5_242_880,
  /** A body that is not streamed: it is decoded at once. */
  wholeBytes: 8_388_608,
  /** Texts, audio, log probabilities, annotations and unknown members together, as they are folded in memory. */
  answerBytes: 16_777_216,
  /** In a row without a piece of the answer: comments and empty events, thousands of times what keeps a connection alive. */
  idleBytes: 1_048_576,
  /** Pieces that carry something. Each becomes part of a chunk: eight choices of 128,000 tokens are a million. */
  pieces: 2_000_000,
  /** Brackets, commas and colons of one JSON text: so many are parsed within a tenth of a second, whatever they hold. */
  jsonMarks: 150_000,
  /** Levels of nesting: code that walks JSON is recursive. */
  jsonDepth: 64,
  /** As many as a request may ask for (`n`). */
  choices: 128,
  /** Of one choice. Requests define up to 128 tools, and a model may call one more than once. */
  toolCalls: 256,
  /** Of one choice. */
  annotations: 1_024,
  /** Different names of members of one choice that the contract has no field for. */
  names: 256,
  /** Characters of such a name. */
  nameCharacters: 1_024,
  /** A list of log probabilities or annotations is divided into chunks of so many characters; one entry cannot be. */
  jsonPieceCharacters: 262_144,
  /** An id, model, tier, finish reason, role or name of a tool: all of them have fewer than a hundred. */
  metadataCharacters: 1_024,
  /** The usage object as the provider sent it. */
  usageCharacters: 16_384,
  /** Results of moderation as the provider sent them. */
  moderationCharacters: 262_144,
} as const;

/** Limits whose overflow ends the answer. What is too long of the others is not reported, or cut. */
const endings = {
  headerBytes: 'bytes of headers',
  eventCharacters: 'characters in one event',
  wholeBytes: 'bytes in one body',
  answerBytes: 'bytes in one answer',
  idleBytes: 'bytes in a row that carry nothing of the answer',
  pieces: 'pieces in one answer',
  jsonMarks: 'JSON values in one event',
  jsonDepth: 'levels of JSON',
  choices: 'choices',
  toolCalls: 'tool calls in one choice',
  annotations: 'annotations in one choice',
  names: 'unknown members in one choice',
  nameCharacters: 'characters in the name of a member',
  jsonPieceCharacters: 'characters in one log probability',
} as const satisfies Partial<Record<keyof typeof answerLimits, string>>;

export type AnswerLimit = keyof typeof endings;

/** An answer went over a limit. Becomes a `ChatFailure` where the provider is known. */
export class LimitExceeded extends Error {
  readonly limit: AnswerLimit;

  constructor(limit: AnswerLimit) {
    super(`more than ${answerLimits[limit]} ${endings[limit]}`);
    this.name = 'LimitExceeded';
    this.limit = limit;
  }
}

/** Not retryable: the same call would be answered, and billed, in the same way. */
export function answerTooLarge(
  limit: AnswerLimit,
  provider: string,
  providerRequestId: string | null,
): ChatFailure {
  return new ProviderError(
    `${provider} sent more than ${answerLimits[limit]} ${endings[limit]}, the most that an answer may have. The call was ended and is not repeated; what arrived is billed. Ask for less (fewer choices, a lower maxOutputTokens), or check that AI_OPENAI_BASE_URL speaks the Chat Completions API.`,
    false,
    { providerRequestId },
  );
}
