/** Characters of code that Ajv writes for each part of a schema besides its path: an upper estimate. */
const CHARACTERS_PER_PART = 100;

export interface SchemaSize {
  readonly depth: number;
  /**
   * About how many characters of code the schema is compiled to. Each check's code quotes the path to its place in the
   * schema, so that long names with many parts below them multiply.
   */
  readonly codeCharacters: number;
}

/** Looks at each part of a parsed schema once; as deep as it is, no stack grows. */
export function schemaSize(schema: object): SchemaSize {
  const open: { readonly value: object; readonly depth: number; readonly path: number }[] = [
    { value: schema, depth: 1, path: 0 },
  ];
  let depth = 0;
  let codeCharacters = 0;
  for (let part = open.pop(); part !== undefined; part = open.pop()) {
    depth = Math.max(depth, part.depth);
    for (const [name, value] of Object.entries(part.value)) {
      const path = part.path + name.length + 1;
      codeCharacters += path + CHARACTERS_PER_PART;
      if (typeof value === 'string') codeCharacters += value.length;
      if (typeof value === 'object' && value !== null) open.push({ value, depth: part.depth + 1, path });
    }
  }
  return { depth, codeCharacters };
}
