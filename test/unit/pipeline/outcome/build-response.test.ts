import { describe, expect, it } from 'vitest';
import { plainUsage } from '../../../../src/domain/cost/usage.ts';
import { ChatFailure, type ErrorCode, errorCodes } from '../../../../src/domain/failures/chat-failure.ts';
import { failureOf } from '../../../../src/domain/failures/failure-classes.ts';
import type { Answer } from '../../../../src/pipeline/outcome/answer.ts';
import {
  buildResponse,
  buildResponseGenerated,
  type ResponseParts,
  responseStatus,
} from '../../../../src/pipeline/outcome/build-response.ts';
import { chatRequest, codec } from '../../../support/fakes/handling.ts';

const choice = {
  index: 0,
  content: 'Hello',
  refusal: null,
  toolCalls: [],
  audio: null,
  annotations: [],
  finishReason: 'stop',
  logprobsJson: null,
  problems: [],
  extraJson: null,
};

const answer: Answer = {
  attempt: 2,
  choices: [choice, { ...choice, index: 1, finishReason: null }],
  extraJson: '{"citations":[]}',
  usage: plainUsage(10, 5, 'PROVIDER'),
  served: {
    responseId: 'chatcmpl-1',
    model: 'gpt-4-0613',
    serviceTier: 'flex',
    systemFingerprint: 'fp_1',
    moderationJson: '{"input":{}}',
    providerRequestId: 'req_1',
  },
  chunkCount: 4,
  chunksAcknowledged: Promise.resolve({ chunkCount: 2, failure: null }),
  firstChunkMs: 12.6,
  failure: null,
  inOutage: false,
};

const responseOf = (members: Partial<ResponseParts> = {}) =>
  buildResponse({
    request: chatRequest({ labels: { team: 'search' } }),
    answer,
    failure: null,
    requestedModel: 'gpt-4',
    provider: 'openai',
    warnings: [],
    attempts: 2,
    cost: null,
    createdAt: 1_000,
    queuedMs: 3,
    totalMs: 99.5,
    ...members,
  });

describe('buildResponse', () => {
  it('reports a complete answer as it was served', () => {
    expect(responseOf()).toMatchObject({
      status: 'COMPLETED',
      model: 'gpt-4-0613',
      serviceTier: 'flex',
      systemFingerprint: 'fp_1',
      moderationJson: '{"input":{}}',
      usage: { inputTokens: 10 },
      costStatus: 'NONE',
      error: null,
      attempts: 2,
      acceptedAttempt: 2,
      chunkCount: 4,
      timing: { queuedMs: 3, firstChunkMs: 13, totalMs: 100 },
      createdAt: 1_000,
    });
  });

  it('reports the part of a broken answer that arrived, but accepts none of it', () => {
    const failure = new ChatFailure('stream_interrupted', 'cut', true, {
      param: 'p',
      providerCode: 'c',
      providerType: 't',
      providerMessage: 'w',
      httpStatus: 500,
      retryAfterMs: 70,
    });
    expect(responseOf({ failure })).toMatchObject({
      status: 'FAILED',
      choices: [{ content: 'Hello' }, { index: 1 }],
      usage: null,
      acceptedAttempt: null,
      chunkCount: 0,
      error: {
        code: 'stream_interrupted',
        message: 'cut. To try again, publish the request under a new requestId.',
        retryable: true,
        param: 'p',
        providerCode: 'c',
        providerType: 't',
        providerMessage: 'w',
        httpStatus: 500,
        retryAfterMs: 70,
      },
    });
  });

  it('ends every failure that can be tried again with one advice about ids', () => {
    const advice = 'To try again, publish the request under a new requestId.';
    const messageOf = (code: ErrorCode, retryable: boolean, text = 'what happened.') =>
      responseOf({ failure: failureOf(code, text, retryable) }).error?.message;
    for (const code of errorCodes.filter((one) => !['cancelled', 'poison', 'internal'].includes(one)))
      expect(messageOf(code, false)).toBe(`what happened. ${advice}`);
    expect(messageOf('internal', true)).toBe(`what happened. ${advice}`);
    expect(messageOf('timeout', true, 'without an end')).toBe(`without an end. ${advice}`);
    for (const code of ['cancelled', 'poison', 'internal'] as const)
      expect(messageOf(code, false)).toBe('what happened.');
    const long = messageOf('invalid_request', false, 'x'.repeat(100_000)) ?? '';
    expect(long.length).toBeLessThan(33_000);
    expect(long.endsWith(`x… ${advice}`)).toBe(true);
  });

  it('names the provider’s request id without an answer, if the failure has it', () => {
    const failure = new ChatFailure('rate_limited', 'slow down', true, { providerRequestId: 'req_9' });
    expect(responseOf({ failure, answer: null })).toMatchObject({
      model: null,
      choices: [],
      providerRequestId: 'req_9',
      timing: { firstChunkMs: null },
    });
  });

  it('can be encoded in each form', () => {
    const failure = new ChatFailure('internal', 'no', true);
    for (const response of [responseOf(), responseOf({ failure }), responseOf({ failure, answer: null })]) {
      const value = codec.encode('ChatResponse', response);
      expect(codec.decode('ChatResponse', value).record).toEqual(response);
    }
  });

  it('has a separate id for each refused record, and one for the answer', () => {
    const ids = [{}, { refusedAt: 'chat.requests/0/1' }, { refusedAt: 'chat.requests/0/2' }].map(
      (members) => responseOf(members).eventId,
    );
    expect(new Set(ids).size).toBe(3);
    expect(responseOf().eventId).toBe(ids[0]);
  });
});

describe('responseStatus', () => {
  it('distinguishes an answer, a failure and a cancellation', () => {
    expect(responseStatus(null)).toBe('COMPLETED');
    expect(responseStatus(new ChatFailure('internal', 'no', false))).toBe('FAILED');
    expect(responseStatus(new ChatFailure('cancelled', 'no', false))).toBe('CANCELLED');
  });
});

describe('buildResponseGenerated', () => {
  it('reports how a response ended, without its text', () => {
    const response = responseOf();
    const generated = buildResponseGenerated(response);
    expect(generated).toMatchObject({
      requestId: 'request-1',
      status: 'COMPLETED',
      finishReasons: ['stop'],
      usage: { inputTokens: 10 },
      totalMs: 100,
      occurredAt: 1_000,
      labels: { team: 'search' },
    });
    expect(JSON.stringify(generated)).not.toContain('Hello');
    expect(generated.eventId).not.toBe(response.eventId);
  });
});
