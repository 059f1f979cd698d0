import { mapRequest } from '../../src/adapters/openai/request/map-request.ts';
import type { ChatRequest } from '../../src/contract/record-types.ts';
import type { ModelInfo } from '../../src/ports/catalog.ts';
import { modelInfo } from '../support/fakes/fake-catalog.ts';
import { chatRequest } from '../support/fakes/handling.ts';
import { requestSamples } from './provider-request-samples.ts';

interface SentRequest {
  readonly request: ChatRequest;
  readonly body: Readonly<Record<string, unknown>>;
}

/** The samples, each sent to a model that uses the newer name of the limit, and to one that uses the older. */
export const sentRequests: readonly SentRequest[] = requestSamples.flatMap((sample) => {
  const request = chatRequest(sample);
  return (['max_tokens', 'max_completion_tokens'] as const).map((parameter) => ({
    request,
    body: bodyOf(request, parameter),
  }));
});

/** The body that is sent for a request, with the caller's own temperature and limit. */
export function bodyOf(
  request: ChatRequest,
  maxTokensParameter: ModelInfo['maxTokensParameter'] = 'max_tokens',
): SentRequest['body'] {
  const call = {
    clientRequestId: 'request/1',
    request,
    model: modelInfo(request.model ?? 'gpt-4', { maxTokensParameter }),
    temperature: request.temperature,
    maxOutputTokens: request.maxOutputTokens,
    firstTokenTimeoutMs: 1,
    idleTimeoutMs: 1,
  };
  return JSON.parse(JSON.stringify(mapRequest(call, { includeObfuscationOption: true })));
}
