import type { AudioOutput, ChatRequest, Moderation, WebSearch } from '../../../contract/record-types.ts';
import type { Adaptation } from '../../../domain/parameters/adaptation.ts';
import { isOwnParameter } from '../../../domain/parameters/provider-parameters.ts';
import type { ProviderCall } from '../../../ports/provider.ts';
import { invalidRequest, parseJsonObject } from '../wire/invalid-request.ts';
import { mapMessages, mapPart, optional } from './map-message.ts';
import { mapResponseFormat, mapTools } from './map-tools.ts';

export type WireBody = Readonly<Record<string, unknown>>;

export interface MapRequestOptions {
  /** Whether the server knows `include_obfuscation`; servers of others may refuse what they do not know. */
  readonly includeObfuscationOption: boolean;
  /** What the server wants to have sent otherwise. */
  readonly adaptations?: readonly Adaptation[];
}

/**
 * Translates a call into the body of a Chat Completions request. Null is not sent, so that the provider's defaults
 * apply. Internal fields (ids, tenant, user, labels, limits) are never sent.
 *
 * @throws ChatFailure invalid_request, with the path, for what cannot be put into the provider's words
 */
export function mapRequest(call: ProviderCall, options: MapRequestOptions): WireBody {
  const { request } = call;
  return {
    model: call.model.id,
    messages: mapMessages(request.messages, request.legacyFunctions),
    ...mapStreaming(call, options),
    ...mapSampling(call, options),
    ...mapTools(request),
    ...mapOutput(request),
    ...mapCaching(request),
    ...mapAccount(request),
    ...mapExtra(request.extraJson),
  };
}

/** An answer is streamed whenever possible, even if the caller wants no chunks: only then can a stall be noticed. */
function mapStreaming({ model, request }: ProviderCall, options: MapRequestOptions): WireBody {
  // Other formats have a header that contains the length.
  const isStreamable = request.audio === null || request.audio.format === 'pcm16';
  const { adaptations = [] } = options;
  if (!model.streams || !isStreamable || adaptations.includes('without_stream')) return { stream: false };
  if (adaptations.includes('without_stream_options')) return { stream: true };
  return {
    stream: true,
    stream_options: {
      include_usage: true,
      ...(options.includeObfuscationOption ? { include_obfuscation: false } : {}),
    },
  };
}

function mapSampling(call: ProviderCall, options: MapRequestOptions): WireBody {
  const { request, temperature, maxOutputTokens } = call;
  return {
    ...optional('temperature', temperature),
    ...optional(limitName(call, options), maxOutputTokens),
    ...optional('top_p', request.topP),
    ...optional('stop', nonEmpty(request.stop)),
    ...optional('seed', request.seed),
    ...optional('presence_penalty', request.presencePenalty),
    ...optional('frequency_penalty', request.frequencyPenalty),
    ...optional('logit_bias', nonEmptyPairs(request.logitBias)),
    ...optional('logprobs', request.logprobs),
    ...optional('top_logprobs', request.topLogprobs),
    ...optional('n', request.n),
    ...optional('reasoning_effort', request.reasoningEffort),
    ...optional('verbosity', request.verbosity),
  };
}

/** The name that the server wanted, else that of the model, else that of the caller. */
function limitName({ model, request }: ProviderCall, { adaptations = [] }: MapRequestOptions): string {
  const wanted = adaptations.find((one) => one === 'max_tokens' || one === 'max_completion_tokens');
  const name = wanted ?? model.maxTokensParameter ?? request.maxTokensParameter;
  // Most servers know the older name alone.
  return name === 'max_completion_tokens' ? name : 'max_tokens';
}

function mapOutput(request: ChatRequest): WireBody {
  const prediction = { type: 'content', content: request.prediction.map(mapPart) };
  return {
    ...optional('response_format', request.responseFormat && mapResponseFormat(request.responseFormat)),
    ...optional('modalities', nonEmpty(request.modalities)),
    ...optional('audio', request.audio && mapAudio(request.audio)),
    ...optional('prediction', request.prediction.length === 0 ? null : prediction),
    ...optional('moderation', request.moderation && mapModeration(request.moderation)),
    ...optional('web_search_options', request.webSearch && mapWebSearch(request.webSearch)),
  };
}

function mapCaching(request: ChatRequest): WireBody {
  const cacheOptions = {
    ...optional('mode', request.promptCacheMode),
    ...optional('ttl', request.promptCacheTtl),
  };
  return {
    ...optional('prompt_cache_key', request.promptCacheKey),
    ...optional('prompt_cache_options', nonEmptyPairs(cacheOptions)),
    ...optional('prompt_cache_retention', request.promptCacheRetention),
  };
}

function mapAccount(request: ChatRequest): WireBody {
  return {
    ...optional('service_tier', request.serviceTier),
    ...optional('safety_identifier', request.safetyIdentifier),
    ...optional('user', request.providerUser),
    ...optional('store', request.store),
    ...optional('metadata', nonEmptyPairs(request.providerMetadata)),
  };
}

function mapExtra(extraJson: string | null): WireBody {
  const extra = parseJsonObject(extraJson, 'extraJson') ?? {};
  for (const name of Object.keys(extra)) {
    if (isOwnParameter(name)) {
      throw invalidRequest(
        `extraJson.${name}`,
        'the request has a field of its own for it (or the service sets it)',
      );
    }
  }
  return extra;
}

function mapAudio(audio: AudioOutput): WireBody {
  return {
    format: audio.format,
    ...optional('voice', audio.voice ?? (audio.voiceId && { id: audio.voiceId })),
  };
}

function mapModeration(moderation: Moderation): WireBody {
  const policy = {
    ...optional('input', moderation.inputMode && { mode: moderation.inputMode }),
    ...optional('output', moderation.outputMode && { mode: moderation.outputMode }),
  };
  return { model: moderation.model, ...optional('policy', nonEmptyPairs(policy)) };
}

function mapWebSearch(search: WebSearch): WireBody {
  const approximate = nonEmptyPairs({
    ...optional('city', search.city),
    ...optional('country', search.country),
    ...optional('region', search.region),
    ...optional('timezone', search.timezone),
  });
  return {
    ...optional('search_context_size', search.contextSize),
    ...optional('user_location', approximate && { type: 'approximate', approximate }),
  };
}

function nonEmpty<T>(list: readonly T[]): readonly T[] | null {
  return list.length === 0 ? null : list;
}

function nonEmptyPairs<T extends object>(pairs: T): T | null {
  return Object.keys(pairs).length === 0 ? null : pairs;
}
