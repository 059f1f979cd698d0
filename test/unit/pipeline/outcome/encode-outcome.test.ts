import { describe, expect, it } from 'vitest';
import { buildResponseGenerated } from '../../../../src/pipeline/outcome/build-response.ts';
import {
  decodeOutcome,
  encodeOutcome,
  outcomeEvents,
  replayEvents,
} from '../../../../src/pipeline/outcome/encode-outcome.ts';
import { sampleCost, sampleResponse } from '../../../contract/sample-records.ts';
import { codec } from '../../../support/fakes/handling.ts';

function outcome(withCost = true) {
  const response = structuredClone({ ...sampleResponse, omitted: [] });
  return {
    response,
    generated: buildResponseGenerated(response),
    cost: withCost ? sampleCost : null,
  };
}

function stored(withCost = true) {
  const bytes = encodeOutcome(outcome(withCost), codec, 100_000);
  if (bytes === null) throw new Error('it does not fit');
  return { ...bytes, remembered: true };
}

describe('an outcome in the ledger', () => {
  it('is read as it was written', () => {
    expect(decodeOutcome(stored(), codec)).toEqual({
      ...outcome(),
      response: {
        ...outcome().response,
        choices: outcome().response.choices.map((choice) => ({
          ...choice,
          audio: { ...choice.audio, data: Buffer.from([0, 255, 128]) },
        })),
      },
    });
  });

  it('without a bill is read without one', () => {
    expect(stored(false).cost).toBeNull();
    expect(decodeOutcome(stored(false), codec).cost).toBeNull();
    const names = outcomeEvents(outcome(false), stored(false)).map(({ name }) => name);
    expect(names).toEqual(['ChatResponse', 'ResponseGenerated']);
  });

  it('is published in the stored bytes, with its own ids and times', () => {
    const bytes = stored();
    const events = outcomeEvents(outcome(), bytes);
    const values = events.map(({ value }) => value);
    expect(values).toEqual([bytes.response, bytes.responseGenerated, bytes.cost]);
    expect(values[0]).toBe(bytes.response);
    expect(events.map(({ eventId, at }) => [eventId, at])).toEqual([
      [sampleResponse.eventId, sampleResponse.createdAt],
      [outcome().generated.eventId, sampleResponse.createdAt],
      [sampleCost.eventId, sampleCost.occurredAt],
    ]);
  });

  it('as a replay is the response alone, with its own id and time', () => {
    const [event, ...others] = replayEvents(outcome(), codec);
    expect(others).toEqual([]);
    expect(event).toMatchObject({ eventId: sampleResponse.eventId, at: sampleResponse.createdAt });
    const value = event?.value ?? null;
    expect(codec.decode('ChatResponse', value).record).toMatchObject({ replayed: true, chunkCount: 0 });
  });
});

describe('the size limit', () => {
  it('is kept to the byte', () => {
    // Without a bill, which may be the largest of the records.
    const size = stored(false).response.byteLength;
    expect(encodeOutcome(outcome(false), codec, size)?.response.byteLength).toBe(size);
    const cut = encodeOutcome(outcome(false), codec, size - 1);
    expect(codec.decode('ChatResponse', cut?.response ?? null).record.omitted).toEqual(['audio', 'content']);
  });

  it('leaves out the least valuable parts first, and nothing that fits', () => {
    const full = outcome();
    const choice = full.response.choices[0];
    if (choice !== undefined) choice.logprobsJson = `{"content": "${'x'.repeat(3_000)}"}`;
    const fits = codec.encode('ChatResponse', full.response).byteLength - 3_000;
    const cut = encodeOutcome(full, codec, fits);
    const { record } = codec.decode('ChatResponse', cut?.response ?? null);
    expect(record.omitted).toEqual(['logprobs']);
    expect(record).toMatchObject({ choices: [{ content: choice?.content, logprobsJson: null }] });
  });

  it('leaves out parts that no chunk carries last, with a warning', () => {
    const full = outcome();
    full.response.moderationJson = `{"results": "${'x'.repeat(3_000)}"}`;
    const [choice] = full.response.choices;
    if (choice !== undefined) choice.extraJson = `{"reasoning_content": "${'x'.repeat(3_000)}"}`;
    const { record } = codec.decode('ChatResponse', encodeOutcome(full, codec, 2_000)?.response ?? null);
    expect(record.omitted.slice(-2)).toEqual(['moderation', 'extra']);
    expect(record.warnings.map(({ code, path }) => [code, path])).toEqual([
      ...sampleResponse.warnings.map(({ code, path }) => [code, path]),
      ['omitted', 'moderationJson'],
      ['omitted', 'choices.extraJson'],
    ]);
  });

  it('applies to the bill too, of which nothing can be left out', () => {
    const labels = { long: 'x'.repeat(5_000) };
    const large = { ...outcome(), cost: { ...sampleCost, labels } };
    expect(encodeOutcome(large, codec, 5_000)).toBeNull();
  });
});
