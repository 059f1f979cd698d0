import type { ContentPart, Message, ToolCall } from '../../../contract/record-types.ts';
import { withExtra } from '../json-body/extra-members.ts';

export type WireMessage = Readonly<Record<string, unknown>>;

/**
 * Translates the conversation. Fields that the role does not have are left out, since the provider refuses them.
 *
 * @param legacyFunctions calls and results in the older functions form, whatever form the caller wrote them in
 */
export function mapMessages(messages: readonly Message[], legacyFunctions: boolean): WireMessage[] {
  /** What was called last under each id: the older form has names instead. */
  const called = new Map<string | null, string>();
  return messages.map((message) => {
    if (legacyFunctions) {
      for (const { id, name } of message.toolCalls.toReversed()) called.set(id, name);
    }
    return withExtra(mapMessage(message, legacyFunctions, called), message.extraJson, 'messages.extraJson');
  });
}

function mapMessage(
  message: Message,
  legacyFunctions: boolean,
  called: ReadonlyMap<string | null, string>,
): WireMessage {
  const { role, name, toolCallId } = message;
  switch (role) {
    case 'assistant':
      return mapAssistant(message, legacyFunctions);
    case 'tool':
      return legacyFunctions
        ? mapFunctionResult(message, name ?? called.get(toolCallId) ?? null)
        : { role, content: mapContent(message), tool_call_id: toolCallId, ...optional('name', name) };
    case 'function':
      return mapFunctionResult(message, name);
    default:
      return { role, content: mapContent(message), ...optional('name', name) };
  }
}

/** Translates content parts; bytes become base64, with a data URL around them where the provider wants one. */
export function mapPart(part: ContentPart): WireMessage {
  const mapped = { type: part.type, ...payload(part), ...cacheBreakpoint(part) };
  return withExtra(mapped, part.extraJson, 'parts.extraJson', part.type);
}

function payload(part: ContentPart): WireMessage {
  switch (part.type) {
    case 'image_url':
      return within('image_url', {
        ...optional('url', part.url ?? dataUrl(part)),
        ...optional('detail', part.detail),
      });
    case 'input_audio':
      if (part.data === null && part.format === null) return {};
      return { input_audio: { data: part.data === null ? '' : base64(part.data), format: part.format } };
    case 'file':
      return within('file', {
        ...optional('file_id', part.fileId),
        ...optional('filename', part.fileName),
        ...optional('file_data', part.data && (part.mediaType === null ? base64(part.data) : dataUrl(part))),
      });
    case 'refusal':
      return { refusal: part.text };
    case 'text':
      return { text: part.text };
    default:
      return optional('text', part.text);
  }
}

function mapAssistant(message: Message, legacyFunctions: boolean): WireMessage {
  const calls = message.toolCalls;
  const legacy = calls.find((call) => legacyFunctions || call.type === 'function_call');
  const current = legacyFunctions ? [] : calls.filter((call) => call.type !== 'function_call');
  return {
    role: 'assistant',
    content: mapContent(message),
    ...optional('name', message.name),
    ...optional('refusal', message.refusal),
    ...optional('audio', message.audioId === null ? null : { id: message.audioId }),
    ...optional('tool_calls', current.length === 0 ? null : current.map(mapToolCall)),
    ...optional('function_call', legacy && { name: legacy.name, arguments: legacy.arguments }),
  };
}

/** What the provider sent with the call goes back with it, in the object in which it came. */
function mapToolCall({ id, type, name, arguments: text, extraJson }: ToolCall): WireMessage {
  return type === 'custom'
    ? withExtra({ id, type, custom: { name, input: text } }, extraJson, 'toolCalls.extraJson', 'custom')
    : withExtra(
        { id, type: 'function', function: { name, arguments: text } },
        extraJson,
        'toolCalls.extraJson',
        'function',
      );
}

function mapFunctionResult(message: Message, name: string | null): WireMessage {
  return { role: 'function', name, content: mapContent(message) };
}

function mapContent(message: Message): string | WireMessage[] | null {
  if (message.content !== null) return message.content;
  return message.parts.length === 0 ? null : message.parts.map(mapPart);
}

function cacheBreakpoint(part: ContentPart): WireMessage {
  const breakpoint = part.cacheBreakpoint;
  if (breakpoint === null) return {};
  return { prompt_cache_breakpoint: { mode: breakpoint.mode, ...optional('ttl', breakpoint.ttl) } };
}

/** Nothing when there are no members: the extra ones have it in another form. */
function within(name: string, members: WireMessage): WireMessage {
  return Object.keys(members).length === 0 ? {} : { [name]: members };
}

function dataUrl({ data, mediaType }: ContentPart): string | null {
  return data === null ? null : `data:${mediaType};base64,${base64(data)}`;
}

function base64(data: Uint8Array): string {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64');
}

/** A member that is there only when it has a value. */
export function optional(name: string, value: unknown): Readonly<Record<string, unknown>> {
  return value === null || value === undefined ? {} : { [name]: value };
}
