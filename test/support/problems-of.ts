import type { ChatRequestInput } from '../../src/contract/record-types.ts';
import { validateRequest } from '../../src/pipeline/handling/validate-request.ts';
import { chatRequest } from './fakes/handling.ts';

/** Where a request has problems, in the order in which they are told. */
export function pathsOf(request: Partial<ChatRequestInput>): string[] {
  return validateRequest(chatRequest(request)).map(({ path }) => path);
}
