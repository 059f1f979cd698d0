import { isObject } from '../../../domain/text/is-object.ts';
import type { WireObject } from './wire.ts';

const MESSAGES = [
  'message',
  'msg',
  'error_msg',
  'error_message',
  'errorMessage',
  'status_msg',
  'Message',
  'faultstring',
  'title',
] as const;
const CODES = ['code', 'error_code', 'errorCode', 'status_code', 'statusCode'] as const;
const WELL: ReadonlySet<string> = new Set(['0', '200']);
/** Finish reasons that say that the provider failed: DeepSeek's, Zhipu's, those of gateways. */
const FAILED = /^(?:[a-z]{1,32}_)?error$|^insufficient_system_resource$/i;
/** Errors in errors are looked into so far, and so many texts of a list are words. */
const MOST_NESTED = 3;
const MOST_WORDS = 8;

/**
 * The error that a JSON object of a provider reports, from wherever servers write it: `error`, a list of errors, FastAPI's
 * `detail`, an error's members without anything around them, a choice that failed.
 *
 * @param isAnswer the object came with status 2xx, so that it may be a piece of an answer
 * @returns undefined if there is no error; else the input of `mapErrorBody`
 */
export function findError(value: WireObject, isAnswer: boolean): unknown {
  const error = value['error'] ?? value['errors'] ?? value['fault'];
  const { choices } = value;
  if (!isEmpty(error)) return plainError(isTitle(error, value) ? { ...value, error: null } : oneOf(error));
  if (Array.isArray(choices)) return isAnswer ? errorOfChoice(choices) : undefined;
  if (!isEmpty(value['detail'])) return ofDetail(value['detail']);
  // MiniMax's own answer says in it that all is well, too.
  const inner = isObject(value['base_resp']) ? value['base_resp'] : value;
  const isBare = value['object'] === 'error' || value['type'] === 'error' || isErrorsMembers(inner);
  return isBare || !isAnswer ? plainError(inner) : undefined;
}

/** Some gateways report in the choice that its provider failed. */
function errorOfChoice(choices: readonly unknown[]): unknown {
  for (const choice of choices) {
    if (!isObject(choice)) continue;
    const message = choice['delta'] ?? choice['message'];
    const error = choice['error'] ?? (isObject(message) ? message['error'] : null);
    if (!isEmpty(error)) return plainError(oneOf(error));
    const reason = choice['finish_reason'];
    if (typeof reason === 'string' && FAILED.test(reason)) return {};
  }
  return undefined;
}

function isErrorsMembers(members: WireObject): boolean {
  const code = codeOf(members);
  if (messageOf(members) === null || isWell(members, code)) return false;
  const { type } = members;
  return !isEmpty(code) || (typeof type === 'string' && /error/i.test(type));
}

/** Some gateways wrap every answer into a code and a message. */
function isWell({ success }: WireObject, code: unknown): boolean {
  return success === true || WELL.has(String(code).slice(0, 4));
}

/** `{"error": "Bad Request", "message": "..."}`: the words are beside the error's title. */
function isTitle(error: unknown, value: WireObject): boolean {
  return typeof error === 'string' && !Array.isArray(value['choices']) && messageOf(value) !== null;
}

/** An error with its words and its code under the names that the API has for them. */
function plainError(error: unknown, depth = 0): unknown {
  if (!isObject(error)) return error;
  const message = messageOf(error);
  const { error: inner, detail } = error;
  const nested = isEmpty(inner) ? detail : inner;
  if (message === null && !isEmpty(nested) && depth < MOST_NESTED) {
    const found = plainError(oneOf(nested), depth + 1);
    return isObject(found) ? found : { ...error, message: found, code: codeOf(error) };
  }
  const { metadata } = error;
  const raw = isObject(metadata) && typeof metadata['raw'] === 'string' ? metadata['raw'] : null;
  return {
    ...error,
    message: raw === null ? message : [message, raw].filter(Boolean).join(': '),
    code: codeOf(error),
  };
}

/** The words of an error, under one of the names that servers have for them. */
function messageOf(members: WireObject): string | null {
  for (const name of MESSAGES) {
    const words = members[name];
    if (typeof words === 'string' && words !== '') return words;
    if (!Array.isArray(words)) continue;
    const texts = words.slice(0, MOST_WORDS).filter((word) => typeof word === 'string');
    if (texts.length > 0) return texts.join('; ');
  }
  return null;
}

function codeOf(members: WireObject): unknown {
  const { status } = members;
  const named = CODES.map((name) => members[name]).find((code) => !isEmpty(code));
  return named ?? (typeof status === 'number' ? status : undefined);
}

/** Of several errors the first. */
function oneOf(error: unknown): unknown {
  return Array.isArray(error) ? oneOf(error[0] ?? {}) : error;
}

/** A text, or a list of objects each of which names a place in the request. */
function ofDetail(detail: unknown): unknown {
  const first = oneOf(detail);
  if (!isObject(first)) return first;
  const { loc, msg, type, code, param } = first;
  if (!Array.isArray(loc)) return plainError(first);
  const place = loc.filter((name) => name !== 'body').join('.');
  return { message: msg ?? first['message'], type, code, param: place || param };
}

/** Some servers write an empty error beside a good answer. */
function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined || value === '' || value === false) return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}
