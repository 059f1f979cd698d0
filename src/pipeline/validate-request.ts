import type { ChatRequest, Problem } from '../contract/records.ts';
import { checkEnvelope } from '../domain/validate/check-envelope.ts';
import { checkMessages } from '../domain/validate/check-messages.ts';
import { checkOutput } from '../domain/validate/check-output.ts';
import { checkProviderFields } from '../domain/validate/check-provider-fields.ts';
import { checkSampling } from '../domain/validate/check-sampling.ts';
import { checkTools } from '../domain/validate/check-tools.ts';
import { ProblemList } from '../domain/validate/problem-list.ts';

/**
 * Looks at a request before anything is spent on it: every problem at once, each with its place and the way out. What
 * passes can be put into the provider's words.
 */
export function validateRequest(request: ChatRequest): Problem[] {
  const list = new ProblemList();
  checkEnvelope(request, list);
  checkMessages(request, list);
  checkTools(request, list);
  checkSampling(request, list);
  checkOutput(request, list);
  checkProviderFields(request, list);
  return list.problems;
}
