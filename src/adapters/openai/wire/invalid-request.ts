import type { ChatFailure } from '../../../domain/failures/chat-failure.ts';
import { InvalidRequest } from '../../../domain/failures/failure-classes.ts';

/** The caller's request cannot be put into the provider's words. Nothing was sent. */
export function invalidRequest(path: string, problem: string): ChatFailure {
  return new InvalidRequest(`${path}: ${problem}.`, false, { param: path });
}

/**
 * Reads JSON text of a request.
 *
 * @returns null if there is no text
 * @throws ChatFailure invalid_request naming the path, never quoting the text
 */
export function parseJsonObject(text: string | null, path: string): Record<string, unknown> | null {
  if (text === null) return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalidRequest(path, 'it is not valid JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidRequest(path, 'it is not a JSON object');
  }
  return value as Record<string, unknown>;
}
