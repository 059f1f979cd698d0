import type { ChatRequest } from '../../contract/record-types.ts';

const ID_MAX_CHARACTERS = 1_024;

/** The fields of a request that every output repeats. */
export type EchoedRequest = Pick<
  ChatRequest,
  'requestId' | 'tenantId' | 'conversationId' | 'userId' | 'model' | 'provider' | 'labels'
>;

/** The part of a request that an output of constant size can repeat: clipped ids, and no labels. */
export function bareRequest(request: EchoedRequest): EchoedRequest {
  const { requestId, tenantId, conversationId, userId, model, provider } = request;
  return {
    requestId: clipped(requestId),
    tenantId: clipped(tenantId),
    conversationId: conversationId && clipped(conversationId),
    userId: userId && clipped(userId),
    model: model && clipped(model),
    provider: provider && clipped(provider),
    labels: {},
  };
}

function clipped(text: string): string {
  return text.length <= ID_MAX_CHARACTERS ? text : text.slice(0, ID_MAX_CHARACTERS).toWellFormed();
}
