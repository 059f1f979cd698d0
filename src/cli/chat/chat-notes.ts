import type { ChatResponse, CostCalculated } from '../../contract/record-types.ts';
import { visibleName } from '../../domain/text/visible-text.ts';

/** What a user has to know about a response besides its text, one line each: warnings, a cut answer, a failure. */
export function responseNotes(response: ChatResponse): string[] {
  const { choices, error, omitted, status, warnings, provider } = response;
  const notes = warnings.map(({ path, message }) => `warning: ${path === '' ? '' : `${path}: `}${message}`);
  for (const { finishReason, problems } of choices) {
    if (finishReason === 'length')
      notes.push('the answer was cut at its limit (finish reason length); allow more with --max-tokens');
    if (finishReason === 'content_filter')
      notes.push('the answer was cut by the provider’s filter (finish reason content_filter)');
    for (const { path, message } of problems) notes.push(`problem: ${path}: ${message}`);
  }
  for (const call of choices.flatMap(({ toolCalls }) => toolCalls))
    for (const { path, message } of call.problems) notes.push(`problem of ${call.name}: ${path}: ${message}`);
  if (omitted.length > 0) notes.push(`left out of the response: ${omitted.join(', ')}`);
  if (error !== null) {
    notes.push(`${status}: ${error.code}: ${error.message}`);
    if (error.providerMessage !== null)
      notes.push(`${provider ?? 'the provider'} says: ${error.providerMessage}`);
  }
  return notes.map(visibleName);
}

/** The bill, one line per item. */
export function describeCost(cost: CostCalculated): string {
  const { inputTokens, outputTokens } = cost.usage;
  const total =
    cost.totalCost === null ? `${cost.costStatus}: no price is known` : `${cost.totalCost} ${cost.currency}`;
  const lines = cost.lines.map(
    ({ kind, quantity, unit, unitPrice, unitSize, amount }) =>
      `  ${kind}: ${quantity} ${unit}s x ${unitPrice} / ${unitSize} = ${amount}`,
  );
  return [`cost ${total} (${inputTokens} tokens in, ${outputTokens} out)`, ...lines, ''].join('\n');
}
