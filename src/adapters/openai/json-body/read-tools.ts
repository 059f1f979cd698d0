import type { ChatRequest, Tool, ToolChoice, ToolRef } from '../../../contract/record-types.ts';
import { readExtra } from './extra-members.ts';
import type { ObjectReader } from './object-reader.ts';

type ToolFields = Pick<ChatRequest, 'tools' | 'toolChoice' | 'parallelToolCalls' | 'legacyFunctions'>;

/** Reads tools and their choice in either form, the reverse of `mapTools`. */
export function readTools(body: ObjectReader): ToolFields {
  const functions = body.objects('functions').map(readFunction);
  const older = body.raw('functions') !== null || body.raw('function_call') !== null;
  const tools = body.objects('tools').map(readTool);
  const choice = readToolChoice(body);
  const olderChoice = readFunctionChoice(body);
  if (older) {
    for (const name of ['tools', 'tool_choice']) {
      if (body.raw(name) !== null)
        body.problem(name, 'conflict', 'functions or function_call are set too; send one of the two forms');
    }
  }
  return {
    tools: older ? functions : tools,
    toolChoice: older ? olderChoice : choice,
    parallelToolCalls: body.boolean('parallel_tool_calls'),
    legacyFunctions: older,
  };
}

function readTool(tool: ObjectReader): Tool {
  const type = tool.text('type') ?? '';
  const custom = type === 'custom' ? tool.object('custom') : null;
  const named = type === 'custom' ? null : tool.object('function');
  const read = custom === null ? readFunctionOf(named, type) : readCustom(custom);
  return { ...read, extraJson: readExtra(tool, custom ?? named, type === 'custom' ? 'custom' : 'function') };
}

/** The older form has no object around the function. */
function readFunction(reader: ObjectReader): Tool {
  const read = readFunctionOf(reader, 'function');
  const extra = readExtra(reader);
  return { ...read, extraJson: extra === null ? null : `{"function":${extra}}` };
}

function readFunctionOf(reader: ObjectReader | null, type: string): Tool {
  const read = {
    ...blank,
    type,
    name: reader?.text('name') ?? '',
    description: reader?.text('description') ?? null,
    parametersJson: reader?.json('parameters') ?? null,
    strict: reader?.boolean('strict') ?? null,
  };
  return read;
}

function readCustom(custom: ObjectReader): Tool {
  const format = custom.object('format');
  const grammar = format?.object('grammar');
  const read = {
    ...blank,
    type: 'custom',
    name: custom.text('name') ?? '',
    description: custom.text('description'),
    grammarSyntax: grammar?.text('syntax') ?? null,
    grammarDefinition: grammar?.text('definition') ?? null,
  };
  // Free text is what there is without a format.
  if (format !== null) {
    const type = format.requiredText('type');
    if (type !== 'text' && type !== 'grammar')
      format.problem('type', 'unknown_value', 'it must be text or grammar');
    if (type === 'grammar' && grammar === null)
      format.problem('grammar', 'missing', 'a format of type grammar needs a grammar');
  }
  for (const reader of [grammar, format]) reader?.refuseRest();
  return read;
}

const blank = {
  description: null,
  parametersJson: null,
  strict: null,
  grammarSyntax: null,
  grammarDefinition: null,
  extraJson: null,
} satisfies Partial<Tool>;

function readToolChoice(body: ObjectReader): ToolChoice | null {
  const raw = body.raw('tool_choice');
  if (typeof raw !== 'object') return modeAlone(body.text('tool_choice'));
  const choice = body.object('tool_choice');
  if (choice === null) return null;
  if (choice.text('type') !== 'allowed_tools') {
    return { mode: 'tool', allowedMode: null, tools: [readRef(choice)] };
  }
  const allowed = choice.object('allowed_tools');
  const read = {
    mode: 'allowed',
    allowedMode: allowed?.text('mode') ?? null,
    tools: allowed?.objects('tools').map(readRef) ?? [],
  };
  allowed?.refuseRest();
  choice.refuseRest();
  return read;
}

function readRef(ref: ObjectReader): ToolRef {
  const type = ref.text('type') ?? '';
  const named = ref.object(type === 'custom' ? 'custom' : 'function');
  const name = named?.text('name') ?? '';
  named?.refuseRest();
  ref.refuseRest();
  return { type, name };
}

function readFunctionChoice(body: ObjectReader): ToolChoice | null {
  const raw = body.raw('function_call');
  if (typeof raw !== 'object') return modeAlone(body.text('function_call'));
  const choice = body.object('function_call');
  if (choice === null) return null;
  const name = choice.requiredText('name');
  choice.refuseRest();
  return { mode: 'tool', allowedMode: null, tools: [{ type: 'function', name }] };
}

/** The modes that name no tool are the provider's words; an unknown one is found when the request is checked. */
function modeAlone(mode: string | null): ToolChoice | null {
  return mode === null ? null : { mode, allowedMode: null, tools: [] };
}
