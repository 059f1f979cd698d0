import type { RecordCodec } from '../../../src/contract/codec.ts';
import type { ChatRequestInput, MessageInput, ToolCallInput } from '../../../src/contract/record-types.ts';
import { LIMITS } from '../../../src/domain/validate/limits.ts';
import { type Candidate, inbound } from './candidate.ts';

/** Requests whose fields are slow together: counts that may be multiplied with each other. */
export function shapeCandidates(codec: RecordCodec, maxBytes: number): Candidate[] {
  const shapes: readonly [field: string, input: string, make: () => Partial<ChatRequestInput>][] = [
    ['messages[].toolCallId', 'results of one old call, in the older form', () => olderResults(4_096, 128)],
    ['messages[].toolCallId', 'results of calls in many messages', () => callsAndResults(290, 128, 'first')],
    ['messages[].toolCallId', 'results in turn', () => callsAndResults(140, 128, 'each')],
    ['messages[].toolCalls', 'calls without results', () => callsAndResults(290, 128, 'none')],
    ['messages[].toolCalls', 'one id again and again', () => callsAndResults(290, 128, 'same')],
    ['toolChoice.tools', 'tool names missing from a long list', () => choices(LIMITS.tools)],
    [
      'tools[].parametersJson',
      'as many as may be, each a long enumeration',
      () => schemas(LIMITS.tools, 6_500),
    ],
    ['tools[].parametersJson', 'three of the longest', () => schemas(3, 260_000)],
    ['messages[]', 'everything wrong with each', () => wrongMessages(4_096)],
    ['messages[].parts[]', 'everything wrong with each', () => wrongParts(60, 1_024)],
  ];
  return shapes.map(([field, input, make]) => ({
    field,
    input,
    record: () => {
      const value = codec.encode('ChatRequest', {
        requestId: 'r',
        model: 'gpt-4o',
        ...make(),
      } as ChatRequestInput);
      return value.length > maxBytes ? null : inbound(value);
    },
  }));
}

const call = (id: string): ToolCallInput => ({ id, type: 'function', name: 'f', arguments: '' });
const result = (toolCallId: string): MessageInput => ({ role: 'tool', content: '', toolCallId });

function olderResults(results: number, calls: number): Partial<ChatRequestInput> {
  const ids = Array.from({ length: calls }, (_, index) => `${index}`);
  const asking: MessageInput = { role: 'assistant', toolCalls: [call('first')] };
  const noise = ids.map((id): MessageInput => ({ role: 'assistant', toolCalls: [call(id)] }));
  const answers = Array.from({ length: results - calls - 1 }, () => result('first'));
  return { legacyFunctions: true, messages: [asking, ...noise, ...answers] };
}

function callsAndResults(
  rounds: number,
  calls: number,
  answered: 'each' | 'first' | 'none' | 'same',
): Partial<ChatRequestInput> {
  const messages = Array.from({ length: rounds }, (_, round) => {
    const ids = Array.from({ length: calls }, (_, index) =>
      answered === 'same' ? 'a' : `${round * calls + index}`,
    );
    const asking: MessageInput = { role: 'assistant', toolCalls: ids.map(call) };
    if (answered === 'each') return [asking, ...ids.slice(0, 28).map(result)];
    return answered === 'first' ? [asking, result(ids[0] ?? '')] : [asking];
  });
  return { messages: messages.flat() };
}

function choices(count: number): Partial<ChatRequestInput> {
  const long = 'a'.repeat(3_000);
  const tools = Array.from({ length: count }, (_, index) => ({ type: 'function', name: `${long}${index}` }));
  const chosen = tools.map(({ type, name }) => ({ type, name: `${name}-` }));
  return {
    messages: [{ role: 'user', content: 'Hi' }],
    tools,
    toolChoice: { mode: 'allowed', tools: chosen },
  };
}

function schemas(count: number, bytes: number): Partial<ChatRequestInput> {
  const words = Array.from({ length: Math.floor(bytes / 5) }, () => '""');
  const tools = Array.from({ length: count }, (_, index) => ({
    type: 'function',
    name: `f${index}`,
    parametersJson: `{"properties":{"a":{"type":"string","enum":[${words.join(',')},"${index}"]}}}`,
  }));
  return { messages: [{ role: 'user', content: 'Hi' }], tools, maxCost: '1000000' };
}

function wrongMessages(count: number): Partial<ChatRequestInput> {
  const wrong = {
    role: 'tool',
    content: '',
    refusal: 'r',
    audioId: 'a',
    parts: [wrongPart, wrongPart],
    toolCalls: [call('')],
  };
  return { messages: Array.from({ length: count }, () => wrong) };
}

const wrongPart = {
  type: 'refusal',
  url: 'u',
  format: 'f',
  detail: 'd',
  fileId: 'i',
  fileName: 'n',
  mediaType: 'm',
};

function wrongParts(messages: number, parts: number): Partial<ChatRequestInput> {
  const message = {
    role: 'assistant',
    parts: Array.from({ length: parts }, () => ({ type: 'refusal', url: '', detail: '' })),
  };
  return { messages: Array.from({ length: messages }, () => message) };
}
