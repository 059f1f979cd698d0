import type { ChatRequest, ContentPart, Message, ToolCall } from '../../../src/contract/record-types.ts';
import type { ModelInfo } from '../../../src/ports/catalog.ts';
import type { ProviderCall } from '../../../src/ports/provider.ts';
import { sampleMessage, sampleRequest } from '../../support/fakes/sample-request.ts';

/** A message without content, unless the test gives it some. */
export function aMessage(members: Partial<Message> = {}): Message {
  return sampleMessage({ content: null, ...members });
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
    extraJson: null,
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
    extraJson: null,
    ...members,
  };
}

function aRequest(members: Partial<ChatRequest> = {}): ChatRequest {
  return sampleRequest({
    requestId: 'req-1',
    tenantId: 'acme',
    conversationId: 'conversation-1',
    userId: 'user-1',
    model: 'gpt-4o',
    labels: { team: 'blue' },
    ...members,
  });
}

const model: ModelInfo = {
  provider: 'openai',
  id: 'gpt-4o',
  contextWindow: 128_000,
  maxOutputTokens: 16_384,
  maxTokensParameter: 'max_completion_tokens',
  refusedParameters: [],
  refusedWhileReasoning: [],
  defaultReasoningEffort: null,
  streams: true,
  reasons: false,
  chats: true,
  lifecycle: 'active',
  shutdownAt: null,
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
