import type { Tool } from '../../contract/record-types.ts';

/** Deeper parameters are rendered as `any`. Real schemas are flatter, and a deep one must not cost more than others. */
const DEEPEST = 16;

interface Schema {
  readonly type?: unknown;
  readonly description?: unknown;
  readonly enum?: unknown;
  readonly items?: unknown;
  readonly properties?: unknown;
  readonly required?: unknown;
}

/**
 * Renders tools in the form in which models read them, as far as it is known: a TypeScript namespace with a type for each.
 * Definitions that are not a JSON object are rendered without parameters.
 */
export function renderTools(tools: readonly Tool[]): string {
  return ['namespace functions {', '', ...tools.flatMap(renderTool), '} // namespace functions'].join('\n');
}

function renderTool({ name, description, parametersJson, grammarDefinition }: Tool): string[] {
  const comment = description === null || description === '' ? [] : [`// ${description}`];
  const parameters = parametersJson === null ? [] : renderProperties(parse(parametersJson), 0);
  if (grammarDefinition !== null) comment.push(`// ${grammarDefinition}`);
  return parameters.length === 0
    ? [...comment, `type ${name} = () => any;`, '']
    : [...comment, `type ${name} = (_: {`, ...parameters, '}) => any;', ''];
}

/** A line for each property. Properties that are not nested have their description above them. */
function renderProperties({ properties, required }: Schema, depth: number): string[] {
  if (typeof properties !== 'object' || properties === null) return [];
  const mandatory: ReadonlySet<unknown> = new Set(Array.isArray(required) ? required : []);
  const indent = '  '.repeat(depth);
  return Object.entries(properties).flatMap(([name, property]) => {
    const schema = asSchema(property);
    const comment = depth === 0 && schema.description ? [`${indent}// ${String(schema.description)}`] : [];
    return [...comment, `${indent}${name}${mandatory.has(name) ? '' : '?'}: ${renderType(schema, depth)},`];
  });
}

function renderType(schema: Schema, depth: number): string {
  if (depth >= DEEPEST) return 'any';
  switch (schema.type) {
    case 'string':
    case 'number':
    case 'integer':
      return Array.isArray(schema.enum)
        ? schema.enum.map((value) => JSON.stringify(value)).join(' | ')
        : plain(schema);
    case 'boolean':
    case 'null':
      return schema.type;
    case 'array':
      return schema.items === undefined ? 'any[]' : `${renderType(asSchema(schema.items), depth + 1)}[]`;
    case 'object':
      return ['{', ...renderProperties(schema, depth + 1), `${'  '.repeat(depth)}}`].join('\n');
    default:
      return 'any';
  }
}

function plain({ type }: Schema): string {
  return type === 'integer' ? 'number' : String(type);
}

function asSchema(value: unknown): Schema {
  return typeof value === 'object' && value !== null ? (value as Schema) : {};
}

function parse(json: string): Schema {
  try {
    return asSchema(JSON.parse(json));
  } catch {
    return {};
  }
}
