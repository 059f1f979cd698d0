import { describe, expect, it } from 'vitest';
import { readBody } from '../../src/adapters/openai/json-body/read-body.ts';
import type { ChatRequest, ContentPart } from '../../src/contract/record-types.ts';
import { fieldOf } from '../../src/domain/parameters/provider-parameters.ts';
import { chatRequest } from '../support/fakes/handling.ts';
import { requestFields } from './provider-request-fields.ts';
import { bodyOf, sentRequests } from './sent-requests.ts';

const parameterOf = (path: string): string => path.split(/[.[]/)[0] ?? path;
const parameters = [...new Set(Object.keys(requestFields).map(parameterOf))];

describe('a JSON request', () => {
  it.each(sentRequests)('with the body of "$request.requestId" is the same request', ({ request, body }) => {
    const { fields, problems } = readBody(body);
    expect(problems).toEqual([]);
    expect(chatRequest({ ...fields, requestId: request.requestId })).toEqual({
      ...withImagesByUrl(request),
      maxTokensParameter:
        ['max_tokens', 'max_completion_tokens'].find((name) => Object.hasOwn(body, name)) ?? null,
      stream: body['stream'],
    });
  });
});

describe.each(parameters)('the parameter %s', (parameter) => {
  it('cannot bypass the field of the contract', () => {
    const request = chatRequest({ extraJson: JSON.stringify({ [parameter]: null }) });
    expect(() => bodyOf(request)).toThrow(`extraJson.${parameter}`);
  });

  it('is named by a field that carries it when a model refuses it', () => {
    const carriers = Object.entries(requestFields).flatMap(([path, place]) =>
      parameterOf(path) === parameter && Array.isArray(place)
        ? place.map((field) => field.split(/[.[]/)[1])
        : [],
    );
    // A parameter that the service sets has no carrier. Its error names the field of the same name, if there is one.
    const expected = carriers.length > 0 ? carriers : ['stream', null];
    expect(expected).toContain(fieldOf(parameter));
  });
});

/** The provider accepts images only by URL: bytes are sent as a data URL, and are read back as one. */
function withImagesByUrl(request: ChatRequest): ChatRequest {
  const byUrl = (part: ContentPart): ContentPart => {
    if (part.type !== 'image_url' || part.data === null) return part;
    const url = `data:${part.mediaType};base64,${Buffer.from(part.data).toString('base64')}`;
    return { ...part, url, data: null, mediaType: null };
  };
  const messages = request.messages.map((message) => ({ ...message, parts: message.parts.map(byUrl) }));
  return { ...request, messages };
}
