import type { ChatRequest, Problem } from '../../contract/record-types.ts';
import type { SchemaChecker } from '../../ports/schemas.ts';

/**
 * Checks the JSON Schemas of a request's functions and of its structured output before anything is spent. An invalid schema is
 * refused. If a schema cannot be checked here, or not in time, the request is sent: the provider may accept it, and the answer
 * says that it was not checked. Requests without schemas cost nothing.
 *
 * @param known problems found before; the same place gets no second problem
 * @throws the signal's reason if it fires while the schemas wait for their turn
 */
export async function checkDefinitions(
  request: ChatRequest,
  schemas: SchemaChecker,
  known: readonly Problem[],
  signal: AbortSignal,
): Promise<Problem[]> {
  const { responseFormat, tenantId, requestId } = request;
  const definitions = request.tools.map(({ type, parametersJson }, index) => ({
    path: `tools[${index}].parametersJson`,
    schemaJson: type === 'custom' ? null : parametersJson,
  }));
  if (responseFormat?.type === 'json_schema') {
    definitions.push({ path: 'responseFormat.schemaJson', schemaJson: responseFormat.schemaJson });
  }
  const toCheck = definitions.flatMap(({ path, schemaJson }) =>
    schemaJson === null || known.some((problem) => problem.path === path) ? [] : [{ path, schemaJson }],
  );
  if (toCheck.length === 0) return [];
  const texts = toCheck.map(({ schemaJson }) => schemaJson);
  const verdicts = await schemas.verdicts(texts, { tenantId, requestId, signal });
  return toCheck.flatMap(({ path }, index) => {
    const verdict = verdicts[index];
    if (verdict?.kind !== 'invalid') return [];
    const message = `cannot be used as a JSON Schema: ${verdict.reason}; correct it`;
    return [{ path, code: 'invalid_schema', message }];
  });
}
