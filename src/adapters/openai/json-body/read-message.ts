import type { ContentPart, Message, ToolCall } from '../../../contract/record-types.ts';
import { isObject } from '../../../domain/text/is-object.ts';
import { readExtra } from './extra-members.ts';
import type { ObjectReader } from './object-reader.ts';

/** Of a length that four divides. Strict, since a lenient reader passes over what is no base64 and makes other bytes of it. */
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;
/** Its media type may have parameters. */
const DATA_URL = /^data:([^,]{1,200});base64,/i;
/** Members of an answer's message that the provider refuses in a request. */
const OUTPUT_ONLY = ['annotations'] as const;

/** Reads one message, the reverse of `mapMessages`. */
export function readMessage(message: ObjectReader): Message {
  const { text, objects } = message.textOrObjects('content');
  const audio = message.object('audio');
  const read: Omit<Message, 'extraJson'> = {
    role: message.text('role') ?? '',
    content: text,
    parts: objects.map(readPart),
    name: message.text('name'),
    refusal: message.text('refusal'),
    toolCalls: [
      ...message.objects('tool_calls').map(readToolCall),
      ...readFunctionCall(message.object('function_call')),
    ],
    toolCallId: message.text('tool_call_id'),
    // Of an answer's own audio the provider wants the id alone.
    audioId: audio?.requiredText('id') ?? null,
  };
  for (const name of OUTPUT_ONLY) message.raw(name);
  return { ...read, extraJson: readExtra(message) };
}

/** Reads one content part, the reverse of `mapPart`; base64 becomes bytes, an image's address stays as it is. */
export function readPart(part: ObjectReader): ContentPart {
  const type = part.text('type') ?? '';
  const { payload, reader } = readPayload(part, type);
  const read = { ...textPart(null), type, ...payload };
  const breakpoint = part.object('prompt_cache_breakpoint');
  const extraJson = readExtra(part, reader, type);
  if (breakpoint === null) return { ...read, extraJson };
  const cacheBreakpoint = { mode: breakpoint.text('mode') ?? '', ttl: breakpoint.text('ttl') };
  breakpoint.refuseRest();
  return { ...read, cacheBreakpoint, extraJson };
}

export function textPart(text: string | null): ContentPart {
  return {
    type: 'text',
    text,
    url: null,
    data: null,
    mediaType: null,
    format: null,
    detail: null,
    fileId: null,
    fileName: null,
    cacheBreakpoint: null,
    extraJson: null,
  };
}

/** What a part carries, and the object that it is in. */
interface Payload {
  readonly payload: Partial<ContentPart>;
  readonly reader: ObjectReader | null;
}

function readPayload(part: ObjectReader, type: string): Payload {
  if (hasOwnForm(part, type)) return ownForm(part, type);
  switch (type) {
    case 'text':
      return { payload: { text: part.text('text') }, reader: null };
    case 'refusal':
      return { payload: { text: part.text('refusal') }, reader: null };
    case 'image_url':
      return within(part.object('image_url'), (image) => ({
        url: image.text('url'),
        detail: image.text('detail'),
      }));
    case 'input_audio':
      return within(part.object('input_audio'), (audio) => ({
        data: readBase64(audio, 'data', audio.text('data')),
        format: audio.text('format'),
      }));
    case 'file':
      return within(part.object('file'), (file) => ({
        fileId: file.text('file_id'),
        fileName: file.text('filename'),
        ...readFileData(file),
      }));
    default:
      // What stands in other members is passed on as it is.
      return { payload: { text: part.textIfText('text') }, reader: null };
  }
}

const OTHER_FORMS: ReadonlyMap<string, readonly string[]> = new Map([
  ['image_url', []],
  ['input_audio', ['data', 'url']],
  ['file', ['file_data', 'file_url', 'url']],
]);
const ADDRESS = /^[a-z][a-z0-9+.-]{0,30}:\/\//i;

/** Whether the payload is text in place of an object, or an address in place of bytes: some providers take these. */
function hasOwnForm(part: ObjectReader, type: string): boolean {
  const places = OTHER_FORMS.get(type);
  const payload = places === undefined ? undefined : part.peek(type);
  if (typeof payload === 'string') return true;
  if (!isObject(payload)) return false;
  return (places ?? []).some((name) => typeof payload[name] === 'string' && ADDRESS.test(payload[name]));
}

function ownForm(part: ObjectReader, type: string): Payload {
  const isImage = type === 'image_url';
  return { payload: isImage ? { url: part.text(type) } : {}, reader: null };
}

function within(reader: ObjectReader | null, read: (reader: ObjectReader) => Partial<ContentPart>): Payload {
  return { payload: reader === null ? {} : read(reader), reader };
}

/** A data URL contains the media type, base64 alone does not. */
function readFileData(file: ObjectReader): Partial<ContentPart> {
  const text = file.text('file_data');
  const [prefix = '', mediaType = null] = text?.match(DATA_URL) ?? [];
  return { data: readBase64(file, 'file_data', text?.slice(prefix.length) ?? null), mediaType };
}

function readBase64(reader: ObjectReader, name: string, text: string | null): Uint8Array | null {
  if (text === null) return null;
  if (text.length % 4 === 0 && BASE64.test(text)) return Buffer.from(text, 'base64');
  reader.problem(name, 'wrong_type', 'it must be base64, with padding and without line ends');
  return null;
}

function readToolCall(call: ObjectReader): ToolCall {
  const type = call.text('type') ?? 'function';
  const isCustom = type === 'custom';
  const called = call.object(isCustom ? 'custom' : 'function');
  const read = toolCall(
    call.text('id'),
    type,
    called?.text('name') ?? '',
    called?.requiredText(isCustom ? 'input' : 'arguments') ?? '',
  );
  // A stream's pieces have it, and people send them back as they are.
  call.integer('index');
  return { ...read, extraJson: readExtra(call, called, isCustom ? 'custom' : 'function') };
}

function readFunctionCall(call: ObjectReader | null): ToolCall[] {
  if (call === null) return [];
  const read = toolCall(null, 'function_call', call.text('name') ?? '', call.requiredText('arguments'));
  call.refuseRest();
  return [read];
}

function toolCall(id: string | null, type: string, name: string, text: string): ToolCall {
  return { id, type, name, arguments: text, valid: null, problems: [], extraJson: null };
}
