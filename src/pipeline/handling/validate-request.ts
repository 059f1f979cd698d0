import type { ChatRequest, Problem } from '../../contract/record-types.ts';
import { checkEnvelope } from '../../domain/validate/check-envelope.ts';
import { checkMessages } from '../../domain/validate/check-messages.ts';
import { checkOutput } from '../../domain/validate/check-output.ts';
import { checkProviderFields } from '../../domain/validate/check-provider-fields.ts';
import { checkSampling } from '../../domain/validate/check-sampling.ts';
import { checkTools } from '../../domain/validate/check-tools.ts';
import { ProblemList } from '../../domain/validate/problem-list.ts';

/**
 * Checks a request before anything is spent on it. It reports every problem at once, each with its place and what to do. If a
 * request passes, it can be converted to the provider's format.
 *
 * @param known problems found while reading the request; problems that only follow from them are left out
 */
export function validateRequest(request: ChatRequest, known: readonly Problem[] = []): Problem[] {
  const list = new ProblemList();
  checkEnvelope(request, list);
  checkMessages(request, list);
  checkTools(request, list);
  checkSampling(request, list);
  checkOutput(request, list);
  checkProviderFields(request, list);
  const misread = known.filter(({ code }) => code === 'wrong_type');
  if (misread.length === 0) return list.problems;
  const places = new Set(misread.map(({ path }) => path));
  if (places.has('')) return [];
  const entries = new Set([...places].map(entryOf));
  // A value may be missing only because a member around it, or of the same entry, could not be read.
  return list.problems.filter(({ path }) => !places.has(nameOf(path)) && !entries.has(entryOf(path)));
}

const nameOf = (path: string) => /^[^.[]*/.exec(path)?.[0] ?? '';
/** `messages[2]` of `messages[2].parts[0].url` */
const entryOf = (path: string) => /^[^.[]*(\[\d+\])?/.exec(path)?.[0] ?? '';
