import type { ModelLister } from '../../catalog/models/sync-models.ts';
import { ChatFailure } from '../../domain/failures/chat-failure.ts';
import { failureOf } from '../../domain/failures/failure-classes.ts';
import { isObject } from '../../domain/text/is-object.ts';
import { type ErrorContext, mapError } from './errors/map-error.ts';
import { createHttpTransport, readText } from './http/http-transport.ts';
import { createClient, type OpenAiProviderOptions } from './openai-provider.ts';
import { answerLimits } from './wire/answer-limits.ts';
import { textOrNull } from './wire/wire.ts';

export interface OpenAiModelLister extends ModelLister {
  /** Closes all connections; a call in flight fails. */
  close(): Promise<void>;
}

const LIST_TIMEOUT_MS = 60_000;
/** A thousand models take about 100 kB. */
const MAX_LIST_BYTES = 8_388_608;

/**
 * Asks `GET /models` of a server with OpenAI's API: one request, without retries.
 *
 * @param timeoutMs longest time for the whole list
 */
export function createModelLister(
  options: OpenAiProviderOptions,
  timeoutMs = LIST_TIMEOUT_MS,
): OpenAiModelLister {
  const provider = options.name ?? 'openai';
  const transport = createHttpTransport(options.proxy);
  const client = createClient(options, transport);
  const context: ErrorContext = { provider, model: 'the list of models', apiKey: options.apiKey };

  async function list(signal: AbortSignal): Promise<readonly string[]> {
    const timeout = AbortSignal.timeout(timeoutMs);
    try {
      const response = await client.models.list({ signal: AbortSignal.any([signal, timeout]) }).asResponse();
      return readIds(await readText(transport.bodyOf(response), MAX_LIST_BYTES), provider);
    } catch (error) {
      signal.throwIfAborted();
      if (timeout.aborted) throw tooSlow(provider, timeoutMs);
      throw error instanceof ChatFailure ? error : mapError(error, context, Date.now());
    }
  }

  return { provider, list, close: () => transport.close() };
}

/** @throws ChatFailure when it is not a list of models */
function readIds(text: string, provider: string): string[] {
  const ids = idsOf(text);
  if (ids !== null) return ids;
  throw failureOf(
    'provider_error',
    `${provider} did not answer GET /models with a list of models; check that AI_OPENAI_BASE_URL speaks OpenAI's API`,
    true,
  );
}

function idsOf(text: string): string[] | null {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return null;
  }
  const data = isObject(body) ? body['data'] : null;
  if (!Array.isArray(data)) return null;
  const ids = data.map((model: unknown) => (isObject(model) ? textOrNull(model['id']) : null));
  if (!ids.every((id) => id !== null)) return null;
  // A longer name cannot be asked for.
  return ids.filter((id) => id.length <= answerLimits.metadataCharacters);
}

function tooSlow(provider: string, timeoutMs: number): ChatFailure {
  return failureOf('timeout', `${provider} did not list its models within ${timeoutMs} ms`, true);
}
