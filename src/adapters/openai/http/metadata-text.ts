import { answerLimits } from '../wire/answer-limits.ts';
import { maskSecrets } from '../wire/mask-secrets.ts';
import type { HeaderReader } from './answer-headers.ts';

const MAX = answerLimits.metadataCharacters;
const MAX_REQUEST_ID_CHARACTERS = 256;

/** An id or a fingerprint. One that is too long counts as not reported: a part of it would name something else. */
export function reportedId(value: unknown): string | null {
  return typeof value === 'string' && value !== '' && value.length <= MAX ? value.toWellFormed() : null;
}

/**
 * A word of the provider's own lists: model, tier, finish reason, role. One that is too long is cut, not dropped: without a
 * finish reason the answer would count as broken, and without a tier or model another price would be taken for its own.
 */
export function reportedWord(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value.slice(0, MAX).toWellFormed() : null;
}

/** The `x-request-id` header: it goes into logs and spans, and a server may echo there what it was sent. */
export function readRequestId(headers: HeaderReader, apiKey: string): string | null {
  const id = headers.get('x-request-id');
  return id === null || id === '' ? null : maskSecrets(id, apiKey, MAX_REQUEST_ID_CHARACTERS);
}
