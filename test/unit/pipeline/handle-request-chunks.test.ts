import { describe, expect, it } from 'vitest';
import { emptyDelta } from '../../../src/domain/completion/completion-delta.ts';
import { FakeProvider, said, used } from '../../support/fakes/fake-provider.ts';
import { codec, Handling, outcomeOf } from '../../support/fakes/handling.ts';

const odd = { deltas: [{ ...emptyDelta(0), content: 'x', choiceIndex: 0.5 }] };

describe('an answer whose chunks cannot be published', () => {
  it('while it streams ends the call: the request fails, and its usage is billed', async () => {
    const provider = new FakeProvider({ steps: [used(100, 7), said('Hel'), odd, said('lo'), 'silence'] });
    const handling = new Handling(provider);
    const { records } = await handling.handle(handling.record());
    const { response, cost } = outcomeOf(records);
    expect(response).toMatchObject({
      status: 'FAILED',
      error: { code: 'internal', retryable: false, message: expect.stringContaining('choices[].index') },
      attempts: 1,
      acceptedAttempt: null,
      choices: [],
    });
    expect(cost?.calls).toMatchObject([{ attempt: 1, disposition: 'FAILED', usage: { outputTokens: 7 } }]);
    expect(provider.calls).toHaveLength(1);
    expect(handling.attempts()).toMatchObject([{ disposition: 'FAILED' }]);
  });

  it('after its end still fails the request, with its bill', async () => {
    const handling = new Handling();
    const isLast = (value: Uint8Array | null) => codec.decode('ChatChunk', value).record.last;
    handling.sink.refuses = ({ topic, value }) =>
      topic.endsWith('chunks') && isLast(value) ? 'TOPIC_AUTHORIZATION_FAILED' : null;
    const { records } = await handling.handle(handling.record());
    const { response, cost } = outcomeOf(records);
    expect(response).toMatchObject({
      status: 'FAILED',
      error: { code: 'internal', message: expect.stringContaining('TOPIC_AUTHORIZATION_FAILED') },
      acceptedAttempt: null,
      chunkCount: 0,
    });
    expect(cost?.calls).toMatchObject([{ disposition: 'FAILED', usage: { outputTokens: 50 } }]);
    expect(handling.attempts()).toMatchObject([{ disposition: 'FAILED' }]);
  });

  it('counts the chunks of an answer that was split', async () => {
    const content = 'x'.repeat(50_000);
    const handling = new Handling(new FakeProvider({ steps: [said(content, 'stop'), used(1, 1)] }));
    handling.sink.maxBytes = 10_000;
    const { records } = await handling.handle(handling.record());
    const chunks = handling.chunks();
    expect(outcomeOf(records).response).toMatchObject({ status: 'COMPLETED', chunkCount: chunks.length });
    expect(chunks.map((chunk) => chunk.content).join('')).toBe(content);
    expect(chunks.length).toBeGreaterThan(5);
  });

  it('does not fail for an announcement that cannot be published', async () => {
    const handling = new Handling();
    handling.sink.refuses = ({ topic }) => (topic.endsWith('message-sent') ? 'MESSAGE_TOO_LARGE' : null);
    const { records } = await handling.handle(handling.record());
    expect(outcomeOf(records).response).toMatchObject({ status: 'COMPLETED' });
  });
});
