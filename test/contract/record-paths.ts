import { isNamed, type SchemaJson } from './schema-rules.ts';

/** Every field of a record, including nested ones, as `ChatRequest.messages[].role`; maps are one path. */
export function recordPaths(record: SchemaJson): string[] {
  if (!isNamed(record)) throw new Error('not the schema of a record');
  const definitions = new Map<string, SchemaJson>();
  const paths: string[] = [];
  const visit = (schema: SchemaJson, path: string): void => {
    if (typeof schema === 'string') {
      const named = definitions.get(schema.split('.').at(-1) ?? schema);
      if (named !== undefined) visit(named, path);
    } else if (Array.isArray(schema)) {
      for (const branch of schema) visit(branch, path);
    } else if ('items' in schema) {
      paths.push(`${path}[]`);
      visit(schema.items, `${path}[]`);
    } else if (isNamed(schema)) {
      definitions.set(schema.name, schema);
      for (const field of schema.fields ?? []) {
        paths.push(`${path}.${field.name}`);
        visit(field.type, `${path}.${field.name}`);
      }
    }
  };
  visit(record, record.name);
  return paths;
}
