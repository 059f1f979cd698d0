import { checkJsonObject } from './check-json.ts';
import type { ProblemList } from './problem-list.ts';

/** Members of the provider's objects that the contract has a field for. */
const OWN = {
  message: ['role', 'content', 'name', 'refusal', 'audio', 'tool_calls', 'function_call', 'tool_call_id'],
  part: ['type', 'text', 'refusal', 'prompt_cache_breakpoint'],
  unknownPart: ['type', 'prompt_cache_breakpoint'],
  tool: ['type'],
  call: ['id', 'type'],
} as const;

/** Looks at the members of a message, part, tool or call that the contract has no field for. */
export function checkExtra(
  extraJson: string | null,
  of: keyof typeof OWN,
  path: string,
  list: ProblemList,
): void {
  if (extraJson === null) return;
  const extra = checkJsonObject(extraJson, `${path}.extraJson`, list) ?? {};
  for (const name of OWN[of]) {
    if (!Object.hasOwn(extra, name)) continue;
    list.add(
      `${path}.extraJson.${name}`,
      'conflict',
      `the ${of === 'unknownPart' ? 'part' : of} has a field of its own for it; use that`,
    );
  }
}
