import { z } from 'zod';
import { byteAnswerSchema } from './byte-answer.ts';

const count = z.number().int().nonnegative();
const milliseconds = z.number().nonnegative();

const scriptSchema = z
  .strictObject({
    /** HTTP status; 0 cuts the connection before any answer. */
    status: z.number().int().min(0).max(599),
    /** Overrides parts of the error body; with `status` 200 or none the answer is a 200 with an error body. */
    error: z.strictObject({
      type: z.string().nullable().optional(),
      code: z.union([z.string(), z.number()]).nullable().optional(),
      message: z.string().optional(),
      param: z.string().nullable().optional(),
    }),
    /** Sent instead of any other body, as it is. */
    body: z.string(),
    /**
     * Sent instead of an answer, as it is, with status 200: a start, then one text again and again, up to so many bytes or
     * until the client leaves, then an end.
     */
    raw: z.strictObject({
      start: z.string().default(''),
      repeated: z.string().optional(),
      bytes: count.optional(),
      end: z.string().default(''),
      contentType: z.string().default('text/event-stream'),
    }),
    /** Added to the answer, over the stand-in's own. */
    headers: z.record(z.string(), z.string()),
    retryAfterMs: milliseconds,
    /** The raw `retry-after` header. */
    retryAfter: z.string(),
    /** Delay of the status line and headers of a stream. */
    headersMs: milliseconds,
    /** From the request to the first token, or to the error. */
    firstTokenMs: milliseconds,
    gapMs: milliseconds,
    /** How many tokens to make up. */
    tokens: count,
    text: z.string(),
    /** Delta objects, or whole chunk objects where there is a `choices` member; no role chunk is added. */
    chunks: z.array(z.record(z.string(), z.unknown())),
    toolCalls: z.array(z.strictObject({ name: z.string(), arguments: z.unknown() })),
    /** null: the stream has no finish chunk of its own. */
    finishReason: z.string().nullable(),
    /** Members laid over the computed usage, or no usage at all. */
    usage: z.union([z.literal('missing'), z.record(z.string(), z.unknown())]),
    promptTokens: count,
    completionTokens: count,
    /** The model and tier that the answer names instead of the requested ones. */
    model: z.string(),
    serviceTier: z.string(),
    cutAfterTokens: count,
    stallAfterTokens: count,
    endAfterTokens: count,
    malformedAfterTokens: count,
    errorAfterTokens: count,
    stamp: z.boolean(),
    /** Sent instead of an answer with the script's `status` and `headers`: pieces of bytes, each as often and as slowly as it says. */
    bytes: byteAnswerSchema,
    splitBytes: z.number().int().positive(),
    crlf: z.boolean(),
    comments: z.boolean(),
  })
  .partial();

/** What the stand-in does with one call. Everything left out is as the real service would do it. */
export type Script = z.infer<typeof scriptSchema>;

const scriptsSchema = z.array(scriptSchema).nonempty();

/** A script that cannot be followed; the message names the field. */
export class ScriptError extends Error {
  override readonly name = 'ScriptError';
}

/**
 * Checks a script, or a list with one script per call of the same request.
 *
 * @throws ScriptError that names each wrong field
 */
export function parseScripts(value: unknown): Script[] {
  const result = scriptsSchema.safeParse(Array.isArray(value) ? value : [value]);
  if (!result.success)
    throw new ScriptError(`The stand-in's script is wrong: ${z.prettifyError(result.error)}`);
  return result.data;
}

/**
 * Finds `{"standIn": …}` in a user's message, alone or inside other text.
 *
 * @returns undefined when the message has no script
 * @throws ScriptError when its script cannot be read
 */
export function findScripts(text: string): Script[] | undefined {
  if (!text.includes('"standIn"')) return undefined;
  const start = text.search(/\{\s*"standIn"\s*:/);
  if (start < 0) return undefined;
  const json = text.slice(start, endOfObject(text, start));
  try {
    return parseScripts(JSON.parse(json).standIn);
  } catch (error) {
    if (error instanceof SyntaxError)
      throw new ScriptError(`The stand-in's script is not JSON: ${error.message}`);
    throw error;
  }
}

function endOfObject(text: string, start: number): number {
  let depth = 0;
  let inString = false;
  for (let index = start; index < text.length; index += 1) {
    const character = text[index];
    if (inString) {
      if (character === '\\') index += 1;
      else if (character === '"') inString = false;
    } else if (character === '"') inString = true;
    else if (character === '{') depth += 1;
    else if (character === '}') {
      depth -= 1;
      if (depth === 0) return index + 1;
    }
  }
  return text.length;
}
