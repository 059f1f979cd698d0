import type {
  AudioOutput,
  ChatRequest,
  Moderation,
  Problem,
  ResponseFormat,
  WebSearch,
} from '../../../contract/record-types.ts';
import type { BodyFields, ReadBody } from '../../../contract/request-body.ts';
import type { WireObject } from '../wire/wire.ts';
import { ObjectReader } from './object-reader.ts';
import { readMessage, readPart, textPart } from './read-message.ts';
import { readTools } from './read-tools.ts';

/**
 * Reads the body of a Chat Completions request, the reverse of `mapRequest`. Parameters that the contract does not have
 * become extra ones; what is of the wrong type, or has members that cannot be carried, is a problem with its path.
 */
export function readBody(body: WireObject): ReadBody {
  const problems: Problem[] = [];
  const reader = new ObjectReader(body, '', problems);
  checkStreamOptions(reader);
  const fields: Omit<BodyFields, 'extraJson'> = {
    model: reader.text('model'),
    messages: reader.objects('messages').map(readMessage),
    ...readTools(reader),
    ...readSampling(reader),
    ...readOutput(reader),
    ...readCaching(reader),
    ...readAccount(reader),
    // Absent, the provider would not stream; here it means that chunks are wanted.
    stream: reader.boolean('stream') ?? true,
  };
  const rest = reader.rest();
  const extraJson = rest.length === 0 ? null : JSON.stringify(Object.fromEntries(rest));
  return { fields: { ...fields, extraJson }, problems };
}

/** Usage is always asked for, and what else can be said there concerns only the provider's connection. */
function checkStreamOptions(reader: ObjectReader): void {
  const options = reader.object('stream_options');
  options?.boolean('include_usage');
  options?.boolean('include_obfuscation');
  options?.refuseRest();
}

function readSampling(reader: ObjectReader) {
  return {
    temperature: reader.number('temperature'),
    topP: reader.number('top_p'),
    ...readLimit(reader),
    stop: readStop(reader),
    seed: reader.integer('seed'),
    presencePenalty: reader.number('presence_penalty'),
    frequencyPenalty: reader.number('frequency_penalty'),
    logitBias: reader.numberPairs('logit_bias'),
    logprobs: reader.boolean('logprobs'),
    topLogprobs: reader.integer('top_logprobs'),
    n: reader.integer('n'),
    reasoningEffort: reader.text('reasoning_effort'),
    verbosity: reader.text('verbosity'),
  } satisfies Partial<ChatRequest>;
}

/** The model decides which of the two names is sent. For an unknown model, the caller's choice is sent. */
function readLimit(reader: ObjectReader): Pick<ChatRequest, 'maxOutputTokens' | 'maxTokensParameter'> {
  const limit = reader.integer('max_completion_tokens');
  const older = reader.integer('max_tokens');
  if (limit !== null && older !== null)
    reader.problem('max_tokens', 'conflict', 'max_completion_tokens is set too; send one of them');
  if (limit !== null) return { maxOutputTokens: limit, maxTokensParameter: 'max_completion_tokens' };
  return { maxOutputTokens: older, maxTokensParameter: older === null ? null : 'max_tokens' };
}

function readStop(reader: ObjectReader): string[] {
  if (Array.isArray(reader.raw('stop'))) return reader.texts('stop');
  const stop = reader.text('stop');
  return stop === null ? [] : [stop];
}

function readOutput(reader: ObjectReader) {
  return {
    responseFormat: readResponseFormat(reader.object('response_format')),
    modalities: reader.texts('modalities'),
    audio: readAudio(reader.object('audio')),
    prediction: readPrediction(reader.object('prediction')),
    moderation: readModeration(reader.object('moderation')),
    webSearch: readWebSearch(reader.object('web_search_options')),
  } satisfies Partial<ChatRequest>;
}

function readResponseFormat(format: ObjectReader | null): ResponseFormat | null {
  if (format === null) return null;
  const schema = format.object('json_schema');
  const read = {
    type: format.text('type') ?? '',
    name: schema?.text('name') ?? null,
    description: schema?.text('description') ?? null,
    schemaJson: schema?.json('schema') ?? null,
    strict: schema?.boolean('strict') ?? null,
  };
  schema?.refuseRest();
  format.refuseRest();
  return read;
}

function readAudio(audio: ObjectReader | null): AudioOutput | null {
  if (audio === null) return null;
  const own = typeof audio.raw('voice') === 'object' ? audio.object('voice') : null;
  const read = {
    format: audio.text('format') ?? '',
    voice: own === null ? audio.text('voice') : null,
    voiceId: own?.text('id') ?? null,
  };
  own?.refuseRest();
  audio.refuseRest();
  return read;
}

function readPrediction(prediction: ObjectReader | null): ChatRequest['prediction'] {
  if (prediction === null) return [];
  if (prediction.requiredText('type') !== 'content')
    prediction.problem('type', 'unknown_value', 'it must be content');
  const { text, objects } = prediction.textOrObjects('content');
  prediction.refuseRest();
  return text === null ? objects.map(readPart) : [textPart(text)];
}

function readModeration(moderation: ObjectReader | null): Moderation | null {
  if (moderation === null) return null;
  const policy = moderation.object('policy');
  const modeOf = (side: ObjectReader | null | undefined) => {
    const mode = side?.text('mode') ?? null;
    side?.refuseRest();
    return mode;
  };
  const read = {
    model: moderation.text('model') ?? '',
    inputMode: modeOf(policy?.object('input')),
    outputMode: modeOf(policy?.object('output')),
  };
  policy?.refuseRest();
  moderation.refuseRest();
  return read;
}

function readWebSearch(search: ObjectReader | null): WebSearch | null {
  if (search === null) return null;
  const location = search.object('user_location');
  if (location !== null && location.requiredText('type') !== 'approximate')
    location.problem('type', 'unknown_value', 'it must be approximate');
  const approximate = location?.object('approximate');
  const read = {
    contextSize: search.text('search_context_size'),
    city: approximate?.text('city') ?? null,
    country: approximate?.text('country') ?? null,
    region: approximate?.text('region') ?? null,
    timezone: approximate?.text('timezone') ?? null,
  };
  for (const reader of [approximate, location, search]) reader?.refuseRest();
  return read;
}

function readCaching(reader: ObjectReader) {
  const options = reader.object('prompt_cache_options');
  const read = {
    promptCacheKey: reader.text('prompt_cache_key'),
    promptCacheMode: options?.text('mode') ?? null,
    promptCacheTtl: options?.text('ttl') ?? null,
    promptCacheRetention: reader.text('prompt_cache_retention'),
  };
  options?.refuseRest();
  return read satisfies Partial<ChatRequest>;
}

function readAccount(reader: ObjectReader) {
  return {
    serviceTier: reader.text('service_tier'),
    safetyIdentifier: reader.text('safety_identifier'),
    providerUser: reader.text('user'),
    store: reader.boolean('store'),
    providerMetadata: reader.textPairs('metadata'),
  } satisfies Partial<ChatRequest>;
}
