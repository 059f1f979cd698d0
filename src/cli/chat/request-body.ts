import { isObject } from '../../domain/text/is-object.ts';
/**
 * Reads the body of a Chat Completions request that `--file` names.
 *
 * @throws if it is not a JSON object
 */
export function parseRequestBody(path: string, text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`--file ${path} is not JSON: ${(error as SyntaxError).message}`);
  }
  if (isObject(value)) return value;
  throw new Error(`--file ${path} must hold one JSON object, the body of a Chat Completions request`);
}
