import type { AudioDelta, ToolCallDelta } from '../../contract/records.ts';
import type { CompletionDelta } from '../../domain/completion-delta.ts';
import { isObject, textOrNull, type WireObject } from './wire.ts';

const NO_TOOL_CALLS: readonly ToolCallDelta[] = Object.freeze([]);

/**
 * Appends one delta to `deltas` for each choice of a chunk that carries something. A whole, not streamed completion
 * is read the same way. Runs for every token: it makes no object that the delta does not need.
 */
export function mapChunk(chunk: WireObject, deltas: CompletionDelta[]): void {
  const choices = chunk['choices'];
  if (!Array.isArray(choices)) return;
  for (let position = 0; position < choices.length; position += 1) {
    const choice: unknown = choices[position];
    if (!isObject(choice)) continue;
    const delta = mapChoice(choice, position);
    if (!isEmpty(delta)) deltas.push(delta);
  }
}

function mapChoice(choice: WireObject, position: number): CompletionDelta {
  const delta = choice['delta'] ?? choice['message'];
  const index = choice['index'];
  const logprobs = choice['logprobs'];
  let role: string | null = null;
  let content = '';
  let refusal: string | null = null;
  let toolCalls = NO_TOOL_CALLS;
  let audio: AudioDelta | null = null;
  let annotationsJson: string | null = null;
  let extra: Record<string, unknown> | null = null;
  if (isObject(delta)) {
    for (const name in delta) {
      const value = delta[name];
      if (value === null || value === undefined) continue;
      if (name === 'content' && typeof value === 'string') content = value;
      else if (name === 'role' && typeof value === 'string') role = value;
      else if (name === 'refusal' && typeof value === 'string') refusal = textOrNull(value);
      else if (name === 'tool_calls' && Array.isArray(value)) toolCalls = mapToolCalls(value);
      else if (name === 'function_call' && isObject(value)) toolCalls = [mapFunctionCall(value)];
      else if (name === 'audio' && isObject(value)) audio = mapAudio(value);
      else if (name === 'annotations' && Array.isArray(value))
        annotationsJson = value.length === 0 ? null : JSON.stringify(value);
      else {
        extra ??= {};
        extra[name] = value;
      }
    }
  }
  return {
    choiceIndex: typeof index === 'number' ? index : position,
    role,
    content,
    refusal,
    toolCalls,
    audio,
    annotationsJson,
    logprobsJson: isObject(logprobs) ? JSON.stringify(logprobs) : null,
    finishReason: textOrNull(choice['finish_reason']),
    extraJson: extra === null ? null : JSON.stringify(extra),
  };
}

function isEmpty(delta: CompletionDelta): boolean {
  return (
    delta.content === '' &&
    delta.finishReason === null &&
    delta.role === null &&
    delta.refusal === null &&
    delta.toolCalls.length === 0 &&
    delta.audio === null &&
    delta.annotationsJson === null &&
    delta.logprobsJson === null &&
    delta.extraJson === null
  );
}

function mapToolCalls(calls: readonly unknown[]): readonly ToolCallDelta[] {
  const mapped: ToolCallDelta[] = [];
  for (let position = 0; position < calls.length; position += 1) {
    const call = calls[position];
    if (isObject(call)) mapped.push(mapToolCall(call, position));
  }
  return mapped;
}

function mapToolCall(call: WireObject, position: number): ToolCallDelta {
  const custom = isObject(call['custom']) ? call['custom'] : null;
  const called = custom ?? (isObject(call['function']) ? call['function'] : {});
  const text = custom === null ? called['arguments'] : called['input'];
  return {
    index: typeof call['index'] === 'number' ? call['index'] : position,
    id: textOrNull(call['id']),
    type: textOrNull(call['type']) ?? (custom === null ? null : 'custom'),
    name: textOrNull(called['name']),
    arguments: typeof text === 'string' ? text : '',
  };
}

/** The older form: there is at most one call, it has no id, and only its first piece names the function. */
function mapFunctionCall(call: WireObject): ToolCallDelta {
  const name = textOrNull(call['name']);
  return {
    index: 0,
    id: null,
    type: name === null ? null : 'function_call',
    name,
    arguments: textOrNull(call['arguments']) ?? '',
  };
}

function mapAudio(audio: WireObject): AudioDelta {
  const data = audio['data'];
  const expiresAt = audio['expires_at'];
  return {
    id: textOrNull(audio['id']),
    data: typeof data === 'string' ? Buffer.from(data, 'base64') : null,
    transcript: textOrNull(audio['transcript']),
    expiresAt: typeof expiresAt === 'number' ? expiresAt * 1000 : null,
  };
}
