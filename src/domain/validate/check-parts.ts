import type { ContentPart } from '../../contract/record-types.ts';
import { checkExtra } from './check-extra.ts';
import { LIMITS } from './limits.ts';
import { oneOf, type ProblemList } from './problem-list.ts';

type Field = Exclude<keyof ContentPart, 'type' | 'extraJson'>;

interface Kind {
  /** Exactly one of these must be set. */
  readonly payload: readonly Field[];
  /** These may be set beside it. */
  readonly details: readonly Field[];
}

const kinds: ReadonlyMap<string, Kind> = new Map([
  ['text', { payload: ['text'], details: ['cacheBreakpoint'] }],
  ['image_url', { payload: ['url', 'data'], details: ['mediaType', 'detail', 'cacheBreakpoint'] }],
  ['input_audio', { payload: ['data'], details: ['mediaType', 'format', 'cacheBreakpoint'] }],
  ['file', { payload: ['fileId', 'data'], details: ['mediaType', 'fileName', 'cacheBreakpoint'] }],
  ['refusal', { payload: ['text'], details: [] }],
]);

const fields: readonly Field[] = [
  ...(['text', 'url', 'data', 'mediaType', 'format', 'detail', 'fileId', 'fileName'] as const),
  'cacheBreakpoint',
];

/** The provider fetches the first two. */
const URL_SCHEME = /^(https?:\/\/|data:)/i;
const MEDIA_TYPE = /^[\w.+-]+\/[\w.+-]+(;.*)?$/;

/**
 * Checks the parts of one message or prediction.
 *
 * @param allowed the types of part allowed here
 * @param owner what the parts belong to, in words
 */
export function checkParts(
  parts: readonly ContentPart[],
  path: string,
  allowed: readonly string[],
  owner: string,
  list: ProblemList,
): void {
  if (parts.length > LIMITS.parts) {
    list.add(path, 'too_large', `there are ${parts.length} parts, but at most ${LIMITS.parts} are allowed`);
    return;
  }
  parts.forEach((part, index) => {
    const place = `${path}[${index}]`;
    const kind = kinds.get(part.type);
    if (kind === undefined) checkUnknownPart(part, place, list);
    else if (!allowed.includes(part.type)) {
      const others = allowed.length === 0 ? 'none; send content' : oneOf(allowed);
      list.add(
        `${place}.type`,
        'not_applicable',
        `${owner} has no parts of type ${part.type}; it may have ${others}`,
      );
    } else checkPart(part, kind, place, list);
  });
}

/** Of a type that the contract has no fields for: its members are for the provider to judge. */
function checkUnknownPart(part: ContentPart, place: string, list: ProblemList): void {
  const isEmpty = part.type === '' || (part.text === null && part.extraJson === null);
  if (isEmpty) {
    const message = `it must be one of ${oneOf(kinds.keys())}, or the part carries its members in extraJson`;
    list.add(`${place}.type`, 'unknown_value', message);
    return;
  }
  checkFields(part, { payload: ['text'], details: ['cacheBreakpoint'] }, place, list);
  checkDetails(part, place, list);
  checkExtra(part.extraJson, 'unknownPart', place, list);
}

function checkPart(part: ContentPart, kind: Kind, place: string, list: ProblemList): void {
  const present = kind.payload.filter((field) => hasPayload(part, field));
  const [first, second] = present;
  if (first === undefined && !hasOwnForm(part)) {
    list.add(
      `${place}.${kind.payload[0]}`,
      'missing',
      `a part of type ${part.type} carries ${oneOf(kind.payload)}; set it`,
    );
  } else if (second !== undefined && first !== undefined) {
    list.add(`${place}.${second}`, 'conflict', `${first} is set too; send one of them`);
  }
  checkFields(part, kind, place, list);
  checkDetails(part, place, list);
  checkExtra(part.extraJson, 'part', place, list);
}

function checkFields(part: ContentPart, kind: Kind, place: string, list: ProblemList): void {
  for (const field of fields) {
    if (part[field] === null || kind.payload.includes(field) || kind.details.includes(field)) continue;
    list.add(
      `${place}.${field}`,
      'not_applicable',
      `a part of type ${part.type} has no ${field}; leave it out`,
    );
  }
}

/** Its payload is in `extraJson`, in a form that the contract has no fields for: audio by its address, a file by its URL. */
function hasOwnForm({ type, extraJson }: ContentPart): boolean {
  return type !== 'text' && type !== 'refusal' && extraJson !== null && hasMember(extraJson, type);
}

/** Whether a JSON object has a member. Text that is not JSON is reported elsewhere. */
function hasMember(json: string, name: string): boolean {
  if (json.length > LIMITS.jsonCharacters) return false;
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === 'object' && value !== null && Object.hasOwn(value, name);
  } catch {
    return false;
  }
}

function hasPayload(part: ContentPart, field: Field): boolean {
  const value = part[field];
  if (value === null) return false;
  return field === 'text' || (value as string | Uint8Array).length > 0;
}

function checkDetails(part: ContentPart, place: string, list: ProblemList): void {
  const { type, url, data, mediaType, cacheBreakpoint } = part;
  if (type === 'image_url' && url !== null && url !== '' && !URL_SCHEME.test(url))
    list.add(`${place}.url`, 'invalid_value', 'it must begin with http://, https:// or data:');
  if (type === 'image_url' && data !== null && mediaType === null)
    list.add(`${place}.mediaType`, 'missing', 'image data needs its media type, such as image/png');
  if (mediaType !== null && !MEDIA_TYPE.test(mediaType))
    list.add(`${place}.mediaType`, 'invalid_value', 'it must be a media type, such as image/png');
  if (type === 'input_audio' && !part.format && !hasOwnForm(part))
    list.add(`${place}.format`, 'missing', 'audio needs its format, such as wav or mp3');
  if (cacheBreakpoint !== null && cacheBreakpoint.mode === '')
    list.add(`${place}.cacheBreakpoint.mode`, 'missing', 'a cache breakpoint has a mode, such as explicit');
}
