import type { ChatRequest, Problem } from '../contract/records.ts';
import type { SchemaCompiler } from '../ports.ts';

/**
 * Looks at the JSON Schemas of a request's functions and of its structured output before anything is spent: what the
 * answer could not be held against is refused. Without schemas it costs nothing.
 *
 * @param known problems that were found before: what they speak of needs no other
 */
export async function checkDefinitions(
  request: ChatRequest,
  schemas: SchemaCompiler,
  known: readonly Problem[],
): Promise<Problem[]> {
  const definitions = request.tools.map(({ type, parametersJson }, index) => ({
    path: `tools[${index}].parametersJson`,
    schemaJson: type === 'custom' ? null : parametersJson,
  }));
  const { responseFormat } = request;
  if (responseFormat?.type === 'json_schema') {
    definitions.push({ path: 'responseFormat.schemaJson', schemaJson: responseFormat.schemaJson });
  }
  const problems: Problem[] = [];
  for (const { path, schemaJson } of definitions) {
    if (schemaJson === null || known.some((problem) => problem.path === path)) continue;
    const schema = await schemas.compile(schemaJson);
    if (!('reason' in schema)) continue;
    const message = `cannot be used as a JSON Schema: ${schema.reason}; correct it and publish under a new request id`;
    problems.push({ path, code: 'invalid_schema', message });
  }
  return problems;
}
