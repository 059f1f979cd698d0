import { z } from 'zod';
import type { ChatResponse, ResponseFormatInput } from '../../contract/record-types.ts';
import { ChatBusError } from '../result/chat-bus-error.ts';

/** A JSON Schema as an object. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** What a structured answer has to fit: a zod schema, or a JSON Schema with a name. */
export type OutputFormat<Data> =
  | z.ZodType<Data>
  | {
      /** `a-z A-Z 0-9 _ -`, at most 64. Default: `output`. */
      readonly name?: string;
      readonly description?: string;
      readonly schema: JsonSchema;
      /** Default: true. */
      readonly strict?: boolean;
    };

const DEFAULT_NAME = 'output';
/** The service could not check it: the answer may fit all the same. */
const NOT_CHECKED = 'not_checked';

export function isZodType(value: unknown): value is z.ZodType {
  return value instanceof z.ZodType;
}

/** @throws TypeError when the zod schema has no JSON Schema */
export function jsonSchemaOf(schema: z.ZodType | JsonSchema): string {
  if (!isZodType(schema)) return JSON.stringify(schema);
  try {
    return JSON.stringify(z.toJSONSchema(schema));
  } catch (cause) {
    throw new TypeError('a zod schema cannot be written as a JSON Schema; give a JSON Schema instead', {
      cause,
    });
  }
}

/** How the request asks for it. */
export function responseFormatOf<Data>(output: OutputFormat<Data>): ResponseFormatInput {
  if (isZodType(output))
    return { type: 'json_schema', name: DEFAULT_NAME, schemaJson: jsonSchemaOf(output), strict: true };
  const {
    name = DEFAULT_NAME,
    description = null,
    schema,
    strict = true,
  } = output as Exclude<OutputFormat<Data>, z.ZodType<Data>>;
  return { type: 'json_schema', name, description, schemaJson: jsonSchemaOf(schema), strict };
}

/**
 * The answer as data.
 *
 * @throws ChatBusError `invalid_output` when it does not fit
 */
export function parseOutput<Data>(output: OutputFormat<Data>, text: string, response: ChatResponse): Data {
  const [choice] = response.choices;
  // An answer that calls tools has no data yet.
  if (choice !== undefined && choice.toolCalls.length > 0) return undefined as Data;
  const invalid = (why: string, cause?: unknown) =>
    new ChatBusError('invalid_output', `the answer is not of the form that output asks for: ${why}`, {
      retryable: true,
      requestId: response.requestId,
      response,
      cause,
    });
  if (choice?.refusal != null) throw invalid('the model refused');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalid(choice?.finishReason === 'length' ? 'it was cut off' : 'it is not JSON');
  }
  if (isZodType(output)) {
    const parsed = output.safeParse(value);
    if (parsed.success) return parsed.data as Data;
    throw invalid(
      parsed.error.issues.map(({ path }) => path.join('.') || 'the whole').join(', '),
      parsed.error,
    );
  }
  const problems = (choice?.problems ?? []).filter(({ code }) => code !== NOT_CHECKED);
  if (problems.length > 0) throw invalid(problems.map(({ message }) => message).join('; '));
  return value as Data;
}
