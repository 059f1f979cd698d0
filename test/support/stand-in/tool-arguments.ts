type JsonSchema = Record<string, unknown>;

/** Plausible arguments for a tool, taken from its JSON Schema and, where they can be found, from the user's words. */
export function makeUpArguments(schema: unknown, userText: string): unknown {
  if (typeof schema !== 'object' || schema === null) return {};
  return valueFor(schema as JsonSchema, userText);
}

function valueFor(schema: JsonSchema, userText: string): unknown {
  if ('const' in schema) return schema['const'];
  if (Array.isArray(schema['enum'])) return mentioned(schema['enum'], userText) ?? schema['enum'][0];
  if ('default' in schema) return schema['default'];
  const type = Array.isArray(schema['type']) ? schema['type'][0] : schema['type'];
  switch (type ?? 'object') {
    case 'string':
      return nameIn(userText) ?? userText;
    case 'integer':
      return Math.round(numberIn(userText) ?? 1);
    case 'number':
      return numberIn(userText) ?? 1;
    case 'boolean':
      return true;
    case 'array':
      return [makeUpArguments(schema['items'] ?? { type: 'string' }, userText)];
    case 'null':
      return null;
    default:
      return objectFor(schema, userText);
  }
}

function objectFor(schema: JsonSchema, userText: string): Record<string, unknown> {
  const properties = (schema['properties'] ?? {}) as Record<string, unknown>;
  const names = Array.isArray(schema['required'])
    ? (schema['required'] as string[])
    : Object.keys(properties);
  return Object.fromEntries(names.map((name) => [name, makeUpArguments(properties[name], userText)]));
}

function mentioned(values: unknown[], userText: string): unknown {
  const text = userText.toLowerCase();
  return values.find((value) => typeof value === 'string' && text.includes(value.toLowerCase()));
}

/** A place or a name: capitalised words after a preposition, else capitalised words that do not begin the text. */
function nameIn(text: string): string | undefined {
  const name = "\\p{Lu}[\\p{L}'-]*(?: \\p{Lu}[\\p{L}'-]*)*";
  const match =
    new RegExp(`\\b(?:in|at|for|from|to|of) (${name})`, 'u').exec(text) ??
    new RegExp(`[^.!?\\s] (${name})`, 'u').exec(text);
  return match?.[1];
}

function numberIn(text: string): number | undefined {
  const match = /-?\d+(?:\.\d+)?/.exec(text);
  return match === null ? undefined : Number(match[0]);
}
