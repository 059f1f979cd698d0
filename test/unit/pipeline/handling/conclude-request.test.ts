import { describe, expect, it } from 'vitest';
import { ChatFailure } from '../../../../src/domain/failures/chat-failure.ts';
import { LedgerRefused } from '../../../../src/ports/ledger.ts';
import { type CallScript, delta, FakeProvider, said, used } from '../../../support/fakes/fake-provider.ts';
import { Handling, outcomeOf, RECORD_MAX_BYTES } from '../../../support/fakes/handling.ts';

const large = 'x'.repeat(RECORD_MAX_BYTES - 20_000);

/** A provider that answers with one choice of these parts. */
function answering(...deltas: Parameters<typeof delta>[0][]) {
  return new FakeProvider({ steps: [{ deltas: deltas.map(delta) }, used(100, 50)] });
}

const logprobs = { logprobsJson: JSON.stringify({ content: [{ token: 'x'.repeat(50_000) }] }) };
const audio = {
  audio: { id: 'audio_1', data: Buffer.alloc(60_000), transcript: 'Hello', expiresAt: null },
};

describe('an answer that is too large for a record', () => {
  it('loses its log probabilities first, with a warning', async () => {
    const handling = new Handling(answering({ content: large, ...logprobs, finishReason: 'stop' }));
    const { response } = outcomeOf((await handling.handle(handling.record())).records);
    expect(response).toMatchObject({ status: 'COMPLETED', omitted: ['logprobs'] });
    expect(response?.choices).toMatchObject([{ content: large, logprobsJson: null, finishReason: 'stop' }]);
  });

  it('then loses its audio data, and keeps the other audio fields', async () => {
    const handling = new Handling(answering({ ...logprobs, ...audio }, { content: 'Hello' }, { ...audio }));
    const { response } = outcomeOf((await handling.handle(handling.record())).records);
    expect(response?.omitted).toEqual(['logprobs', 'audio']);
    expect(response?.choices).toMatchObject([
      { content: 'Hello', audio: { id: 'audio_1', data: null, transcript: 'HelloHello' } },
    ]);
  });

  it('then loses its content', async () => {
    const handling = new Handling(answering({ content: large, ...audio, ...logprobs }, { content: large }));
    const { response } = outcomeOf((await handling.handle(handling.record())).records);
    expect(response).toMatchObject({ status: 'COMPLETED', omitted: ['logprobs', 'audio', 'content'] });
    expect(response?.choices).toMatchObject([{ content: null, audio: { data: null } }]);
  });

  it('has no warning about parts that it did not have', async () => {
    const handling = new Handling(answering({ content: large }, { content: large, finishReason: 'stop' }));
    const { response } = outcomeOf((await handling.handle(handling.record())).records);
    expect(response?.omitted).toEqual(['content']);
  });

  it('becomes a failure that keeps its bill when nothing more can be left out', async () => {
    const handling = new Handling(answering({ refusal: large }, { refusal: large }));
    const handled = await handling.handle(handling.record());
    expect(outcomeOf(handled.records)).toMatchObject({
      response: {
        status: 'FAILED',
        choices: [],
        cost: '0.006',
        acceptedAttempt: null,
        chunkCount: 0,
        error: {
          code: 'internal',
          retryable: false,
          message: expect.stringContaining(String(RECORD_MAX_BYTES)),
        },
      },
      generated: { status: 'FAILED' },
      cost: {
        totalCost: '0.006',
        acceptedCost: '0.006',
        requestStatus: 'FAILED',
        calls: [{ disposition: 'ACCEPTED' }],
      },
    });
    // The ledger holds the published outcome.
    const replay = await handling.handle(handling.record());
    expect(outcomeOf(replay.records).response).toMatchObject({ replayed: true, error: { code: 'internal' } });
  });
});

describe('a large answer to a request without streaming', () => {
  it('is published in chunks, which the response counts, and stays complete', async () => {
    const handling = new Handling(
      answering({ content: large, ...audio }, { content: large, finishReason: 'stop' }),
    );
    handling.sink.maxBytes = RECORD_MAX_BYTES - 10_000;
    const { response } = outcomeOf((await handling.handle(handling.record({ stream: false }))).records);
    expect(response).toMatchObject({
      status: 'COMPLETED',
      omitted: ['audio', 'content'],
      choices: [{ content: null, finishReason: 'stop' }],
    });
    const chunks = handling.chunks();
    expect(response?.chunkCount).toBe(chunks.length);
    expect(chunks.map(({ content }) => content).join('')).toBe(large + large);
    expect(chunks.map((chunk) => chunk.sequence)).toEqual(chunks.map((_, index) => index));
    expect(chunks.at(-1)?.last).toBe(true);
    expect(Buffer.concat(chunks.flatMap((chunk) => chunk.audio?.data ?? []))).toHaveLength(60_000);
    expect(response?.acceptedAttempt).toBe(chunks[0]?.attempt);
  });

  it('has no chunks when its response can hold it', async () => {
    const handling = new Handling(answering({ content: 'Hello', finishReason: 'stop' }));
    const { response } = outcomeOf((await handling.handle(handling.record({ stream: false }))).records);
    expect(response).toMatchObject({ omitted: [], chunkCount: 0 });
    expect(handling.chunks()).toEqual([]);
  });
});

describe('an outcome that cannot be written as it is', () => {
  it('becomes a failure of constant size that keeps the calls on its bill', async () => {
    const handling = new Handling(answering({ content: 'Hello', finishReason: 'stop' }));
    let refusals = 0;
    handling.ledger.before = (write) => {
      if (write !== 'complete' || refusals > 0) return;
      refusals += 1;
      throw new LedgerRefused('too large');
    };
    const labels = { team: 'search' };
    const outcome = outcomeOf((await handling.handle(handling.record({ labels }))).records);
    expect(outcome).toMatchObject({
      response: { status: 'FAILED', error: { code: 'internal' }, labels: {} },
      cost: {
        costStatus: 'UNPRICED',
        labels: {},
        calls: [{ disposition: 'ACCEPTED', usage: { inputTokens: 100 } }],
      },
    });
    const replay = outcomeOf((await handling.handle(handling.record({ labels }))).records);
    expect(replay.response).toMatchObject({ replayed: true, error: { code: 'internal' } });
    expect(handling.provider.calls).toHaveLength(1);
  });

  it('makes no further call, and is billed without a price, when its price cannot be computed', async () => {
    const handling = new Handling(answering({ content: 'Hello', finishReason: 'stop' }));
    const price = handling.catalog.price.bind(handling.catalog);
    handling.catalog.price = (...of) => {
      // The error of big.js for a price that is not a number: the estimate did not need it.
      if (handling.provider.calls.length > 0) throw new Error('[big.js] Invalid number');
      return price(...of);
    };
    const outcome = outcomeOf((await handling.handle(handling.record())).records);
    expect(outcome).toMatchObject({
      response: { status: 'FAILED', error: { code: 'internal' } },
      cost: { costStatus: 'UNPRICED', calls: [{ disposition: 'ACCEPTED' }] },
    });
    expect(handling.provider.calls).toHaveLength(1);
  });

  it('is answered from its bill alone when the ledger’s copy is unreadable', async () => {
    const handling = new Handling();
    const record = handling.record();
    await handling.handle(record);
    const row = [...handling.ledger.rows.values()][0];
    if (row?.outcome) row.outcome = { ...row.outcome, response: Buffer.from('damaged') };
    const again = outcomeOf((await handling.handle(record)).records);
    expect(again).toMatchObject({
      response: { status: 'FAILED', error: { code: 'internal' } },
      cost: { requestId: 'request-1', totalCost: '0.006' },
    });
    const replay = outcomeOf((await handling.handle(handling.record())).records);
    expect(replay.response).toMatchObject({ status: 'FAILED' });
    expect(replay.cost).toBeUndefined();
  });
});

describe('a refused request whose response would be too large for a record', () => {
  it('is answered with a constant size as a last resort, for any ids', async () => {
    const handling = new Handling();
    const long = 'x'.repeat(20_000);
    const ids = { requestId: long, tenantId: long, conversationId: long, model: long };
    const handled = await handling.handle(handling.record(ids));
    const records = handled.recordsOfLastResort();
    expect(records.map(({ value }) => (value?.byteLength ?? 0) < 6_000)).toEqual(records.map(() => true));
  });

  it('is answered without its labels', async () => {
    const handling = new Handling();
    const labels = { long: 'x'.repeat(RECORD_MAX_BYTES - 5_000) };
    const { response } = outcomeOf((await handling.handle(handling.record({ labels }))).records);
    expect(response).toMatchObject({ status: 'FAILED', labels: {}, error: { code: 'invalid_request' } });
  });
});

describe('records that the broker refuses permanently', () => {
  it('are replaced by a failure without the answer, and the bill stays', async () => {
    const handling = new Handling();
    const handled = await handling.handle(handling.record());
    const before = outcomeOf(handled.records);
    const after = outcomeOf(handled.recordsIfRefused());
    expect(after.response).toEqual({
      ...before.response,
      status: 'FAILED',
      choices: [],
      usage: null,
      acceptedAttempt: null,
      chunkCount: 0,
      error: expect.objectContaining({ code: 'internal', message: expect.stringContaining('broker') }),
    });
    expect(after.generated).toMatchObject({ status: 'FAILED' });
    expect(after.cost).toEqual(before.cost);
    expect(after.dead).toBeUndefined();
  });

  it('have a constant size as a last resort, and the bill stays', async () => {
    const handling = new Handling();
    const labels = { long: 'x'.repeat(50_000) };
    const handled = await handling.handle(handling.record({ labels }, { key: Buffer.alloc(50_000, 'k') }));
    const records = handled.recordsOfLastResort();
    expect(records.every(({ key, value }) => key === null && (value?.byteLength ?? 0) < 2_000)).toBe(true);
    expect(outcomeOf(records)).toMatchObject({
      response: { requestId: 'request-1', status: 'FAILED' },
      cost: { totalCost: outcomeOf(handled.records).cost?.totalCost },
    });
  });

  it('of a duplicate are replaced by the same failure alone', async () => {
    const handling = new Handling();
    await handling.handle(handling.record());
    const replay = await handling.handle(handling.record());
    const records = replay.recordsIfRefused();
    expect(records).toHaveLength(1);
    expect(outcomeOf(records).response).toMatchObject({
      status: 'FAILED',
      replayed: true,
      error: { code: 'internal' },
    });
  });
});

describe('the cost metric', () => {
  it('records the cost of a priced request, and nothing for an unpriced one', async () => {
    const recorded: object[] = [];
    const handle = async (requested: string, served: string, ...before: CallScript[]) => {
      const provider = new FakeProvider(...before, { served: { model: served } });
      const handling = new Handling(provider);
      const metrics = { ...handling.options.metrics, costCalculated: (of: object) => void recorded.push(of) };
      Object.assign(handling.options, { metrics });
      return handling.handle(handling.record({ model: requested }));
    };
    await handle('gpt-4', 'gpt-4');
    const unpriced = outcomeOf((await handle('future', 'future-1')).records);
    expect(unpriced).toMatchObject({
      response: { status: 'COMPLETED', costStatus: 'UNPRICED', cost: null, currency: null },
      cost: { costStatus: 'UNPRICED', totalCost: null, lines: [] },
    });
    const broke = new ChatFailure('stream_interrupted', 'cut', true);
    const partly = await handle('future', 'gpt-4', { served: { model: 'future-1' }, steps: [broke] });
    expect(outcomeOf(partly.records).cost).toMatchObject({ costStatus: 'PARTLY_PRICED', totalCost: null });
    expect(recorded).toEqual([{ amount: 0.006, currency: 'USD', model: 'gpt-4' }]);
  });

  it('names no model when none was served, and still records the cost', async () => {
    const recorded: object[] = [];
    const silent = new ChatFailure('timeout', 'silence', false);
    const handling = new Handling(new FakeProvider({ refuses: silent }));
    const metrics = { ...handling.options.metrics, costCalculated: (of: object) => void recorded.push(of) };
    Object.assign(handling.options, { metrics });
    await handling.handle(handling.record());
    expect(recorded).toEqual([{ amount: 0.00039, currency: 'USD', model: 'unknown' }]);
  });
});

describe('times', () => {
  it('are measured from the record to the call and from the acceptance to the outcome, and never negative', async () => {
    const provider = new FakeProvider({ steps: [said('Hi', 'stop')] });
    const handling = new Handling(provider);
    const record = handling.record({}, { timestamp: handling.clock.now() + 5_000 });
    const job = handling.job(record);
    handling.clock.advance(70);
    const handled = await handling.handle(record, { acceptedMonotonic: job.acceptedMonotonic });
    const { response } = outcomeOf(handled.records);
    expect(response?.timing).toEqual({ queuedMs: 0, firstChunkMs: 0, totalMs: 70 });
    expect(response?.createdAt).toBe(handling.clock.now());
  });
});
