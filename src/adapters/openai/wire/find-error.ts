import { isObject, type WireObject } from './wire.ts';

/**
 * The error that a JSON object of a provider reports, from wherever servers write it: `error`, a list of errors, FastAPI's
 * `detail`, an error's members without anything around them, a choice that failed.
 *
 * @param isAnswer the object came with status 2xx, so that it may be a piece of an answer
 * @returns undefined if there is no error; else the input of `mapErrorBody`
 */
export function findError(value: WireObject, isAnswer: boolean): unknown {
  const error = value['error'] ?? value['errors'];
  if (!isEmpty(error)) return oneOf(error);
  const { choices } = value;
  if (Array.isArray(choices)) return isAnswer ? errorOfChoice(choices) : undefined;
  if (!isEmpty(value['detail'])) return ofDetail(value['detail']);
  const isBare = value['object'] === 'error' || value['type'] === 'error' || isErrorsMembers(value);
  return isBare || !isAnswer ? value : undefined;
}

/** Some gateways report in the choice that its provider failed. */
function errorOfChoice(choices: readonly unknown[]): unknown {
  for (const choice of choices) {
    if (!isObject(choice)) continue;
    const hasError = !isEmpty(choice['error']);
    if (hasError) return oneOf(choice['error']);
    if (choice['finish_reason'] === 'error') return {};
  }
  return undefined;
}

function isErrorsMembers({ message, code, status, status_code: statusCode, type }: WireObject): boolean {
  const hasCode = !isEmpty(code) || typeof status === 'number' || !isEmpty(statusCode);
  return typeof message === 'string' && (hasCode || (typeof type === 'string' && /error/i.test(type)));
}

/** Of several errors the first. */
function oneOf(error: unknown): unknown {
  return Array.isArray(error) ? oneOf(error[0] ?? {}) : error;
}

/** A text, or a list of objects each of which names a place in the request. */
function ofDetail(detail: unknown): unknown {
  const first = oneOf(detail);
  if (!isObject(first)) return first;
  const { loc, msg, message, type, code, param } = first;
  const place = Array.isArray(loc) ? loc.filter((name) => name !== 'body').join('.') : param;
  return { message: msg ?? message, type, code, param: place };
}

/** Some servers write an empty error beside a good answer. */
function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined || value === '' || value === false) return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}
