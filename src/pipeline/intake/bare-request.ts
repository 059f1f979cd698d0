import type { ChatRequest } from '../../contract/record-types.ts';

const ID_MAX_CHARACTERS = 1_024;

/** What every output repeats of its request. */
export type EchoedRequest = Pick<
  ChatRequest,
  'requestId' | 'tenantId' | 'conversationId' | 'userId' | 'model' | 'provider' | 'labels'
>;

/** As much of a request as an output of constant size can repeat: ids, clipped, and no labels. */
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
