import type { ChatRequest, Tool, ToolRef } from '../../contract/record-types.ts';
import { checkExtra } from './check-extra.ts';
import { checkJsonObject } from './check-json.ts';
import { LIMITS } from './limits.ts';
import { oneOf, type ProblemList } from './problem-list.ts';

const NAME = /^[a-zA-Z0-9_-]{1,64}$/;

/** Checks the tools, and which of them the model may or must call. */
export function checkTools(request: ChatRequest, list: ProblemList): void {
  const { tools, legacyFunctions, parallelToolCalls } = request;
  if (tools.length > LIMITS.tools) {
    list.add('tools', 'too_large', `there are ${tools.length}, but at most ${LIMITS.tools} are allowed`);
    return;
  }
  const names = new Set<string>();
  tools.forEach((tool, index) => {
    const path = `tools[${index}]`;
    checkTool(tool, path, legacyFunctions, list);
    if (tool.name !== '' && names.has(tool.name))
      list.add(`${path}.name`, 'duplicate', 'another tool has the same name; names are unique');
    names.add(tool.name);
  });
  if (parallelToolCalls !== null && tools.length === 0)
    list.add('parallelToolCalls', 'not_applicable', 'there are no tools to call; leave it out');
  else if (parallelToolCalls === true && legacyFunctions)
    list.add('parallelToolCalls', 'not_applicable', 'the older functions form has one call at a time');
  checkToolChoice(request, list);
}

function checkTool(tool: Tool, path: string, legacyFunctions: boolean, list: ProblemList): void {
  checkExtra(tool.extraJson, 'tool', path, list);
  // A provider's own tool, such as its search: it may have no name, and its members are for the provider to judge.
  const isOwn = tool.type !== 'function' && tool.type !== 'custom' && tool.type !== '';
  if (!isOwn && !NAME.test(tool.name))
    list.add(`${path}.name`, 'invalid_value', 'it must be 1 to 64 of the characters a-z, A-Z, 0-9, _ and -');
  if (tool.type === 'function') checkFunction(tool, path, legacyFunctions, list);
  else if (tool.type === 'custom') checkCustom(tool, path, legacyFunctions, list);
  else if (!isOwn)
    list.add(
      `${path}.type`,
      'unknown_value',
      'it must be function, custom or the type of a tool of the provider',
    );
  else if (tool.name === '' && tool.extraJson === null)
    list.add(`${path}.extraJson`, 'missing', 'a tool of the provider has a name or members of its own');
  else if (legacyFunctions)
    list.add(`${path}.type`, 'not_applicable', 'the older functions form has functions alone');
  else if (tool.parametersJson !== null) checkJsonObject(tool.parametersJson, `${path}.parametersJson`, list);
}

function checkFunction(tool: Tool, path: string, legacyFunctions: boolean, list: ProblemList): void {
  for (const field of ['grammarSyntax', 'grammarDefinition'] as const) {
    if (tool[field] !== null)
      list.add(`${path}.${field}`, 'not_applicable', 'only custom tools have a grammar; leave it out');
  }
  if (tool.strict === true && legacyFunctions)
    list.add(`${path}.strict`, 'not_applicable', 'it has no older form; set legacyFunctions to false');
  if (tool.parametersJson !== null) checkJsonObject(tool.parametersJson, `${path}.parametersJson`, list);
}

function checkCustom(tool: Tool, path: string, legacyFunctions: boolean, list: ProblemList): void {
  if (legacyFunctions)
    list.add(
      `${path}.type`,
      'not_applicable',
      'custom tools have no older form; set legacyFunctions to false',
    );
  for (const field of ['parametersJson', 'strict'] as const) {
    if (tool[field] !== null)
      list.add(`${path}.${field}`, 'not_applicable', 'only functions have it; leave it out');
  }
  if (tool.grammarSyntax !== null && !tool.grammarDefinition)
    list.add(`${path}.grammarDefinition`, 'missing', 'the grammar has a syntax but no definition');
  if (tool.grammarDefinition !== null && !tool.grammarSyntax)
    list.add(`${path}.grammarSyntax`, 'missing', 'the grammar has no syntax; send lark or regex');
}

function checkToolChoice({ toolChoice, tools, legacyFunctions }: ChatRequest, list: ProblemList): void {
  if (toolChoice === null) return;
  if (tools.length === 0)
    list.add('toolChoice', 'not_applicable', 'there are no tools to choose; leave it out');
  const modes = legacyFunctions
    ? ['none', 'auto', 'tool']
    : ['none', 'auto', 'required', 'any', 'tool', 'allowed'];
  const { mode, allowedMode, tools: chosen } = toolChoice;
  if (!modes.includes(mode)) {
    const form = legacyFunctions ? 'in the older functions form ' : '';
    list.add('toolChoice.mode', 'unknown_value', `${form}it must be ${oneOf(modes)}`);
    return;
  }
  if (mode === 'tool' && chosen.length !== 1)
    list.add('toolChoice.tools', 'invalid_value', 'mode tool needs exactly one tool');
  if (mode === 'allowed' && chosen.length === 0)
    list.add('toolChoice.tools', 'missing', 'mode allowed needs at least one tool');
  if (mode !== 'tool' && mode !== 'allowed' && chosen.length > 0)
    list.add('toolChoice.tools', 'not_applicable', `mode ${mode} names no tools; use mode tool or allowed`);
  if (allowedMode !== null && mode !== 'allowed')
    list.add('toolChoice.allowedMode', 'not_applicable', 'only mode allowed has it; leave it out');
  else if (allowedMode !== null && allowedMode !== 'auto' && allowedMode !== 'required')
    list.add('toolChoice.allowedMode', 'unknown_value', 'it must be auto or required');
  if (chosen.length > LIMITS.tools)
    list.add('toolChoice.tools', 'too_large', `at most ${LIMITS.tools} are allowed`);
  else if (tools.length > 0) checkChosen(chosen, tools, list);
}

function checkChosen(chosen: readonly ToolRef[], tools: readonly Tool[], list: ProblemList): void {
  // A type has no space, so two different pairs never collide.
  const defined = new Set(tools.map(({ type, name }) => `${type} ${name}`));
  chosen.forEach(({ type, name }, index) => {
    if (!type.includes(' ') && defined.has(`${type} ${name}`)) return;
    list.add(`toolChoice.tools[${index}]`, 'unknown_tool', 'no tool of the request has this type and name');
  });
}
