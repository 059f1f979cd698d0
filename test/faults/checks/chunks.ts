import { createHash } from 'node:crypto';
import type { ChatChunk, ChatResponse } from '../../../src/contract/record-types.ts';
import type { Call } from '../../support/stand-in/call-log.ts';
import { type Evidence, groupBy } from './evidence.ts';

/**
 * G5: a reader that keeps the highest attempt and orders by sequence has exactly the text, and knows that it is complete.
 */
export function chunks(evidence: Evidence): string[] {
  const published = groupBy(
    evidence.chunks.map(({ value }) => value),
    ({ requestId }) => requestId,
  );
  const made = new Map(evidence.calls.map((call) => [call.clientRequestId, call]));
  const completed = evidence.responses
    .map(({ value }) => value)
    .filter(({ status, replayed }) => status === 'COMPLETED' && !replayed);
  return [
    ...[...published].flatMap(([id, own]) => contradictions(id, own)),
    ...completed.flatMap((response) =>
      asRead(
        response,
        published.get(response.requestId) ?? [],
        made.get(`${response.requestId}/${response.acceptedAttempt}`),
      ),
    ),
  ];
}

/** A repeated (attempt, sequence) is an identical chunk, and first occurrences are in order. */
function contradictions(id: string, own: readonly ChatChunk[]): string[] {
  const first = new Map<string, ChatChunk>();
  const reached = new Map<number, number>();
  const problems: string[] = [];
  for (const chunk of own) {
    const { attempt, sequence } = chunk;
    const name = `${attempt}/${sequence}`;
    const known = first.get(name);
    if (known !== undefined) {
      if (JSON.stringify(known) !== JSON.stringify(chunk))
        problems.push(`${id}: chunk ${name} is there twice with different content`);
      continue;
    }
    first.set(name, chunk);
    if (sequence < (reached.get(attempt) ?? 0)) problems.push(`${id}: chunk ${name} comes after a later one`);
    reached.set(attempt, Math.max(sequence, reached.get(attempt) ?? 0));
  }
  return problems;
}

function asRead(response: ChatResponse, own: readonly ChatChunk[], call: Call | undefined): string[] {
  const { requestId: id, acceptedAttempt, chunkCount, choices, omitted } = response;
  // Not streamed, so there must be no chunks.
  if (chunkCount === 0 && own.length === 0) return [];
  const attempt = Math.max(0, ...own.map((chunk) => chunk.attempt));
  if (attempt !== acceptedAttempt)
    return [`${id}: the highest attempt with chunks is ${attempt}, the accepted one is ${acceptedAttempt}`];
  const bySequence = new Map(
    own.filter((chunk) => chunk.attempt === attempt).map((chunk) => [chunk.sequence, chunk]),
  );
  const read = [...bySequence.values()].sort((one, other) => one.sequence - other.sequence);
  const problems: string[] = [];
  if (read.length !== chunkCount || read.some(({ sequence }, index) => sequence !== index)) {
    const sequences = read.map(({ sequence }) => sequence).join(' ');
    return [`${id}: chunks ${sequences} of ${chunkCount}: there is a gap or one too many`];
  }
  const last = read.filter((chunk) => chunk.last);
  if (last.length !== 1 || last[0] !== read.at(-1))
    problems.push(`${id}: 'last' is not on the last chunk alone`);
  for (const { index, content, toolCalls } of choices) {
    const pieces = read.filter(({ choiceIndex }) => choiceIndex === index);
    const text = pieces.map((piece) => piece.content).join('');
    if (!omitted.includes('content') && text !== (content ?? ''))
      problems.push(`${id}: the chunks' text is not the response's (choice ${index})`);
    const tools = toolCalls.map(({ arguments: text }) => text);
    const chunkTools = toolCalls.map((_, place) =>
      pieces
        .flatMap((piece) => piece.toolCalls)
        .filter((delta) => delta.index === place)
        .map((delta) => delta.arguments)
        .join(''),
    );
    if (JSON.stringify(tools) !== JSON.stringify(chunkTools))
      problems.push(`${id}: the chunks' tool calls are not the response's (choice ${index})`);
  }
  if (call?.contentHash != null) {
    const text = read
      .filter(({ choiceIndex }) => choiceIndex === 0)
      .map(({ content }) => content)
      .join('');
    if (createHash('sha256').update(text).digest('hex') !== call.contentHash)
      problems.push(`${id}: the chunks' text is not what the provider wrote`);
  }
  return problems;
}
