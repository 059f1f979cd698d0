import type {
  ChatRequest,
  ResponseFormat,
  Tool,
  ToolChoice,
  ToolRef,
} from '../../../contract/record-types.ts';
import { withExtra } from '../json-body/extra-members.ts';
import { invalidRequest, parseJsonObject } from '../wire/invalid-request.ts';
import { optional } from './map-message.ts';

type Wire = Readonly<Record<string, unknown>>;

/** `tools` and `tool_choice`, or `functions` and `function_call` in the older form. */
export function mapTools(request: ChatRequest): Wire {
  const { tools, toolChoice } = request;
  if (request.legacyFunctions) {
    return {
      ...optional('functions', tools.length === 0 ? null : tools.map(mapLegacyFunction)),
      ...optional('function_call', toolChoice && mapLegacyChoice(toolChoice)),
    };
  }
  return {
    ...optional('tools', tools.length === 0 ? null : tools.map(mapTool)),
    ...optional('tool_choice', toolChoice && mapChoice(toolChoice)),
    ...optional('parallel_tool_calls', request.parallelToolCalls),
  };
}

/** `response_format` with the schema as an object. */
export function mapResponseFormat(format: ResponseFormat): Wire {
  if (format.type !== 'json_schema') return { type: format.type };
  return {
    type: 'json_schema',
    json_schema: {
      name: format.name,
      ...optional('description', format.description),
      ...optional('schema', parseJsonObject(format.schemaJson, 'responseFormat.schemaJson')),
      ...optional('strict', format.strict),
    },
  };
}

function mapTool(tool: Tool, index: number): Wire {
  const path = `tools[${index}].extraJson`;
  if (tool.type === 'custom')
    return withExtra({ type: 'custom', custom: mapCustom(tool) }, tool.extraJson, path, 'custom');
  // A tool of the provider may have no function.
  if (tool.name === '') return withExtra({ type: tool.type }, tool.extraJson, path);
  const mapped = { ...mapFunction(tool, index), ...optional('strict', tool.strict) };
  return withExtra({ type: tool.type, function: mapped }, tool.extraJson, path, 'function');
}

function mapFunction(tool: Tool, index: number): Wire {
  return {
    name: tool.name,
    ...optional('description', tool.description),
    ...optional('parameters', parseJsonObject(tool.parametersJson, `tools[${index}].parametersJson`)),
  };
}

function mapCustom(tool: Tool): Wire {
  const grammar = { syntax: tool.grammarSyntax, definition: tool.grammarDefinition };
  return {
    name: tool.name,
    ...optional('description', tool.description),
    ...optional('format', tool.grammarSyntax === null ? null : { type: 'grammar', grammar }),
  };
}

function mapLegacyFunction(tool: Tool, index: number): Wire {
  if (tool.type === 'custom') {
    throw invalidRequest(
      `tools[${index}].type`,
      'custom tools have no older form; set legacyFunctions to false',
    );
  }
  const mapped = { function: mapFunction(tool, index) };
  return withExtra(mapped, tool.extraJson, `tools[${index}].extraJson`, 'function')['function'] as Wire;
}

function mapChoice(choice: ToolChoice): unknown {
  switch (choice.mode) {
    case 'none':
    case 'auto':
    case 'required':
    // Mistral's word for it.
    case 'any':
      return choice.mode;
    case 'tool':
      return mapRef(onlyTool(choice));
    case 'allowed':
      return {
        type: 'allowed_tools',
        allowed_tools: { mode: choice.allowedMode ?? 'auto', tools: choice.tools.map(mapRef) },
      };
    default:
      throw invalidRequest('toolChoice.mode', 'it has to be none, auto, required, tool or allowed');
  }
}

function mapLegacyChoice(choice: ToolChoice): unknown {
  switch (choice.mode) {
    case 'none':
    case 'auto':
      return choice.mode;
    case 'tool':
      return { name: onlyTool(choice).name };
    default:
      throw invalidRequest('toolChoice.mode', 'with legacyFunctions it has to be none, auto or tool');
  }
}

function mapRef(ref: ToolRef): Wire {
  return ref.type === 'custom'
    ? { type: 'custom', custom: { name: ref.name } }
    : { type: 'function', function: { name: ref.name } };
}

function onlyTool(choice: ToolChoice): ToolRef {
  const [tool, ...others] = choice.tools;
  if (tool === undefined || others.length > 0) {
    throw invalidRequest('toolChoice.tools', 'mode tool needs exactly one tool');
  }
  return tool;
}
