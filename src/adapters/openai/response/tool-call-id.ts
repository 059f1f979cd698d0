import { createHash } from 'node:crypto';
import { reportedId } from '../http/metadata-text.ts';

/**
 * The id of a tool call. One that is too long is replaced by a hash of it: a caller only has to repeat the id in the
 * tool's result, and both come from the response, so that the answer stays usable.
 */
export function toolCallId(id: unknown): string | null {
  if (Number.isSafeInteger(id)) return String(id);
  if (typeof id !== 'string' || id === '') return null;
  return reportedId(id) ?? `call_${createHash('sha256').update(id).digest('hex').slice(0, 32)}`;
}
