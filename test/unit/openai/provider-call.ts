import type { ChatRequest, ContentPart, Message, ToolCall } from '../../../src/contract/records.ts';
import type { ModelInfo, ProviderCall } from '../../../src/ports.ts';

export function aMessage(members: Partial<Message> = {}): Message {
  return {
    role: 'user',
    content: null,
    parts: [],
    name: null,
    refusal: null,
    toolCalls: [],
    toolCallId: null,
    audioId: null,
    ...members,
  };
}

export function aPart(type: string, members: Partial<ContentPart> = {}): ContentPart {
  return {
    type,
    text: null,
    url: null,
    data: null,
    mediaType: null,
    format: null,
    detail: null,
    fileId: null,
    fileName: null,
    cacheBreakpoint: null,
    ...members,
  };
}

export function aToolCall(members: Partial<ToolCall> = {}): ToolCall {
  return {
    id: 'call_1',
    type: 'function',
    name: 'get_weather',
    arguments: '{}',
    valid: null,
    problems: [],
    ...members,
  };
}

function aRequest(members: Partial<ChatRequest> = {}): ChatRequest {
  return {
    requestId: 'req-1',
    tenantId: 'acme',
    conversationId: 'conversation-1',
    userId: 'user-1',
    provider: null,
    model: 'gpt-4o',
    fallbackModels: [],
    messages: [aMessage({ content: 'Hello' })],
    history: 'NONE',
    tools: [],
    toolChoice: null,
    parallelToolCalls: null,
    legacyFunctions: false,
    responseFormat: null,
    temperature: null,
    topP: null,
    maxOutputTokens: null,
    stop: [],
    seed: null,
    presencePenalty: null,
    frequencyPenalty: null,
    logitBias: {},
    logprobs: null,
    topLogprobs: null,
    n: null,
    reasoningEffort: null,
    verbosity: null,
    serviceTier: null,
    modalities: [],
    audio: null,
    prediction: [],
    promptCacheKey: null,
    promptCacheMode: null,
    promptCacheTtl: null,
    promptCacheRetention: null,
    safetyIdentifier: null,
    providerUser: null,
    store: null,
    providerMetadata: {},
    moderation: null,
    webSearch: null,
    stream: true,
    restartOnBreak: null,
    deadline: null,
    maxCost: null,
    maxCostCurrency: null,
    labels: { team: 'blue' },
    extraJson: null,
    ...members,
  };
}

const model: ModelInfo = {
  provider: 'openai',
  id: 'gpt-4o',
  contextWindow: 128_000,
  maxOutputTokens: 16_384,
  maxTokensParameter: 'max_completion_tokens',
  refusedParameters: [],
};

export function aCall(request: Partial<ChatRequest> = {}, members: Partial<ProviderCall> = {}): ProviderCall {
  return {
    clientRequestId: 'req-1/1',
    request: aRequest(request),
    model,
    temperature: null,
    maxOutputTokens: null,
    firstTokenTimeoutMs: 10_000,
    idleTimeoutMs: 10_000,
    ...members,
  };
}
