import type { ChatRequestInput } from '../../src/contract/record-types.ts';
import { validateRequest } from '../../src/pipeline/handling/validate-request.ts';
import { chatRequest } from './fakes/handling.ts';

/** The paths of a request's problems, in the order in which they are reported. */
export function pathsOf(request: Partial<ChatRequestInput>): string[] {
  return validateRequest(chatRequest(request)).map(({ path }) => path);
}
