import type { Problem, Tool, ToolCall } from '../../contract/record-types.ts';

/** Problems of an answer that are found before any schema is checked. No message quotes the answer. */

/** Functions have a newer and an older form; custom tools are a separate kind. */
export function isCustom(type: string): boolean {
  return type === 'custom';
}

export function unknownTool(call: ToolCall, tools: readonly Tool[]): Problem {
  const namesake = tools.find(({ name }) => name === call.name);
  const formOf = (type: string) => (isCustom(type) ? 'a custom tool' : 'a function');
  const message =
    namesake === undefined
      ? 'the request defines no tool of this name'
      : `the request defines ${formOf(namesake.type)} of this name, not ${formOf(call.type)}`;
  return { path: 'name', code: 'unknown_tool', message };
}

/** @param endedBy the finish reason, if it may have cut this text */
export function unparsable(text: string, path: string, endedBy: string | null): Problem {
  if (endedBy === 'length') {
    const message = `${path} ended early: the answer reached its token limit; raise maxOutputTokens`;
    return { path, code: 'truncated', message };
  }
  if (endedBy === 'content_filter') {
    return {
      path,
      code: 'truncated',
      message: `${path} ended early: the provider's content filter cut the answer`,
    };
  }
  const what = text === '' ? 'there is no text' : 'the text is not valid JSON';
  return { path, code: 'unparsable_json', message: `${path} cannot be parsed: ${what}` };
}

export function notAnObject(path: string): Problem {
  return { path, code: 'wrong_type', message: `${path} must be object` };
}

/** @param reason quotes places of the schema at most */
export function notChecked(path: string, reason: string): Problem {
  const message = `${path} could not be checked: ${reason}; check it before you use it`;
  return { path, code: 'not_checked', message };
}
