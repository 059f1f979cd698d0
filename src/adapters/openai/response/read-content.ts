import { isObject } from '../../../domain/text/is-object.ts';
import { textOrNull } from '../wire/wire.ts';

/** Lists in lists of parts are taken apart so many levels down. */
const NESTED = 4;
/** Names of parts that are text, at different servers. */
const TEXT_TYPE = /^(?:(?:in|out)put_)?text(?:_delta)?$/i;

/** Content that came in another form than text. */
export interface ReadContent {
  /** What is text in it, in order. */
  readonly text: string;
  readonly refusal: string | null;
  /** Parts that are no text (thinking, references, images), and what a text part has besides its text. */
  readonly others: readonly unknown[];
}

/**
 * Reads content that is a list of parts, or any other JSON value: some servers send structured output so, and it becomes its JSON
 * text.
 */
export function readContent(value: unknown): ReadContent {
  const isPart = isObject(value) && typeof value['type'] === 'string' && textOfPart(value) !== null;
  if (!Array.isArray(value) && !isPart) return { text: JSON.stringify(value), refusal: null, others: [] };
  let text = '';
  let refusal: string | null = null;
  const others: unknown[] = [];
  for (const part of Array.isArray(value) ? value.flat(NESTED) : [value]) {
    const own = textOfPart(part);
    if (own !== null) text += own;
    else if (isObject(part) && part['type'] === 'refusal') refusal = textOrNull(part['refusal']) ?? refusal;
    const rest = own === null ? part : besidesText(part);
    if (rest !== null && !(isObject(rest) && rest['type'] === 'refusal')) others.push(rest);
  }
  return { text, refusal, others };
}

/** @returns null for a part that is no text */
function textOfPart(part: unknown): string | null {
  if (typeof part === 'string') return part;
  if (!isObject(part)) return null;
  const { type, text = part['content'] } = part;
  const isText = type === undefined || (typeof type === 'string' && TEXT_TYPE.test(type));
  if (!isText) return null;
  if (isObject(text)) return typeof text['value'] === 'string' ? text['value'] : null;
  return typeof text === 'string' ? text : null;
}

/** Null when there is nothing else in it. */
function besidesText(part: unknown): object | null {
  if (!isObject(part)) return null;
  const { text, ...more } = part;
  const { content: _, ...rest } = text === undefined ? more : { ...more, content: null };
  const hasMore = Object.entries(rest).some(
    ([name, value]) => name !== 'type' && value !== null && !(Array.isArray(value) && value.length === 0),
  );
  return hasMore ? rest : null;
}
