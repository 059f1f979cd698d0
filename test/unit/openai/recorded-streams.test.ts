import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StreamDecoder } from '../../../src/adapters/openai/stream/stream-decoder.ts';
import type { ChatChunk, Choice } from '../../../src/contract/record-types.ts';
import { CompletionFold } from '../../../src/domain/completion/fold-completion.ts';
import { ChunkPublisher } from '../../../src/pipeline/chunks/chunk-publisher.ts';
import { FakeProvider } from '../../support/fakes/fake-provider.ts';
import { codec, Handling, outcomeOf } from '../../support/fakes/handling.ts';
import { cut, decodeReads, recording, recordings } from '../../support/recorded-streams.ts';

/** One finished choice with only the given members. */
const choice = (members: Partial<Choice> = {}): Partial<Choice> => ({
  index: 0,
  content: null,
  refusal: null,
  toolCalls: [],
  audio: null,
  finishReason: 'stop',
  ...members,
});
const call = (id: string | null, name: string, text: string, type = 'function') => ({
  id,
  type,
  name,
  arguments: text,
});
const text = 'Grüße aus 東京 🗼!\n“Zeile”';

interface Expected {
  readonly choices: readonly object[];
  /** Input and output tokens. */
  readonly tokens?: readonly [number, number];
  readonly failure?: string;
}

const expected: Readonly<Record<string, Expected>> = {
  'text.sse': { choices: [choice({ content: text })], tokens: [12, 6] },
  'text-crlf-comments.sse': { choices: [choice({ content: text })], tokens: [12, 6] },
  'text-no-done.sse': { choices: [choice({ content: text })], tokens: [12, 6] },
  'text-no-final-blank-line.sse': { choices: [choice({ content: text })], tokens: [12, 6] },
  'text-no-usage.sse': { choices: [choice({ content: text })] },
  'text-usage-with-choices.sse': { choices: [choice({ content: text })], tokens: [12, 6] },
  'usage-always.sse': { choices: [choice({ content: 'One two' })], tokens: [12, 3] },
  'length.sse': { choices: [choice({ content: 'Once upon a', finishReason: 'length' })], tokens: [9, 3] },
  'content-filter.sse': {
    choices: [choice({ content: 'As far as I can say', finishReason: 'content_filter' })],
    tokens: [14, 6],
  },
  'refusal.sse': { choices: [choice({ refusal: 'I can’t help with that.' })], tokens: [20, 7] },
  'refusal-logprobs.sse': {
    choices: [choice({ refusal: 'Sorry 🙅', logprobsJson: expect.stringContaining('[153,133]') })],
    tokens: [20, 4],
  },
  'two-choices-logprobs.sse': {
    choices: [
      choice({ content: 'Yes.', finishReason: 'length', logprobsJson: expect.stringContaining('[46]') }),
      choice({ index: 1, content: 'No', logprobsJson: expect.stringContaining('[78,111]') }),
    ],
    tokens: [9, 4],
  },
  'tool-calls.sse': {
    choices: [
      {
        finishReason: 'tool_calls',
        toolCalls: [
          call('call_a1', 'get_weather', '{"city":"München\\u00e9"}'),
          call('call_b2', 'run_sql', 'SELECT 1', 'custom'),
        ],
      },
    ],
    tokens: [80, 30],
  },
  'parallel-tool-calls.sse': {
    choices: [
      {
        finishReason: 'tool_calls',
        toolCalls: [
          call('call_a1', 'get_weather', '{"city":"S\\u00e3o Paulo \\ud83d\\ude00"}'),
          call('call_b2', 'get_time', '{"zone":"Europe\\/Lisbon\\n"}'),
          call('call_c3', 'ping', '{}'),
        ],
      },
    ],
    tokens: [95, 41],
  },
  'function-call.sse': {
    choices: [
      {
        finishReason: 'function_call',
        toolCalls: [call(null, 'get_weather', '{"city":"Rome"}', 'function_call')],
      },
    ],
    tokens: [60, 12],
  },
  'audio.sse': {
    choices: [
      choice({
        audio: {
          id: 'audio_1',
          data: new Uint8Array([0, 1, 2, 3, 4, 5, 6]),
          transcript: 'Hello',
          expiresAt: 1_760_003_600_000,
        },
      }),
    ],
    tokens: [15, 40],
  },
  'reasoning-and-annotations.sse': {
    choices: [{ finishReason: 'stop', annotations: [{ url: expect.stringContaining('http') }] }],
    tokens: [expect.any(Number) as number, expect.any(Number) as number],
  },
  'split-pairs.sse': {
    choices: [choice({ content: 'A tower: 🗼 and a flag: 🇮🇹' }), choice({ index: 1, refusal: 'No 🙅.' })],
    tokens: [11, 9],
  },
  'split-pairs-in-calls-and-audio.sse': {
    choices: [
      choice({
        audio: { id: 'audio_2', data: null, transcript: 'Hi 👋', expiresAt: 1_760_003_600_000 },
        finishReason: 'tool_calls',
        toolCalls: [
          { ...call('call_a1', 'post', '{"mood":"😀"}'), valid: null, problems: [], extraJson: null },
          { ...call('call_b2', 'draw', '🖋', 'custom'), valid: null, problems: [], extraJson: null },
        ],
      }),
    ],
    tokens: [31, 22],
  },
  'lone-surrogates.sse': {
    choices: [
      {
        content: '\uFFFD first, then \uFFFDno partner, and last \uFFFD',
        toolCalls: [call('call_a1', 'post', '{"mood":"\uFFFD')],
        finishReason: 'length',
      },
    ],
    tokens: [11, 9],
  },
  'cut.sse': {
    choices: [choice({ content: 'Grüße aus 東京', finishReason: null })],
    failure: 'stream_interrupted',
  },
  'cut-with-usage-so-far.sse': {
    choices: [choice({ content: 'One two', finishReason: null })],
    tokens: [12, 2],
    failure: 'stream_interrupted',
  },
  'error-event.sse': {
    choices: [choice({ content: 'Grüße aus', finishReason: null })],
    failure: 'provider_error',
  },
  'error-event-flat.sse': {
    choices: [choice({ content: 'Grüße aus', finishReason: null })],
    failure: 'provider_unavailable',
  },
  'malformed.sse': {
    choices: [choice({ content: 'Grüße aus', finishReason: null })],
    failure: 'provider_error',
  },
};

describe('a recorded stream', () => {
  it('of every kind has an expectation', () => {
    expect(Object.keys(expected).toSorted()).toEqual(recordings.toSorted());
  });

  it.each(Object.entries(expected))(
    '%s decodes to its expected answer',
    (name, { choices, tokens, failure }) => {
      const decoded = decodeReads([recording(name)]);
      const fold = new CompletionFold();
      for (const { deltas } of decoded.reads) for (const delta of deltas) fold.add(delta);
      const usage = decoded.reads.findLast((events) => events.usage !== null)?.usage;
      expect(fold.result()).toMatchObject(choices);
      expect(fold.result()).toHaveLength(choices.length);
      expect(usage && [usage.inputTokens, usage.outputTokens]).toEqual(tokens);
      expect(decoded.failure?.code).toBe(failure);
    },
  );
});

/** Without members that no chunk carries: the service's own checks. */
function asStreamed(choices: readonly Choice[]): Choice[] {
  return choices.map((one) => ({
    ...one,
    problems: [],
    toolCalls: one.toolCalls.map((each) => ({ ...each, valid: null, problems: [] })),
  }));
}

function foldChunks(chunks: readonly ChatChunk[]): Choice[] {
  const fold = new CompletionFold();
  for (const chunk of chunks) fold.add({ ...chunk, answerExtraJson: null });
  return fold.result();
}

describe('the published chunks of a stream', () => {
  /** @param turns how long the broker takes for each send, in turns of the event loop */
  async function handle(pieces: readonly Buffer[], turns: readonly number[]) {
    const { reads, failure } = decodeReads(pieces);
    const handling = new Handling(
      new FakeProvider({ steps: failure === null ? reads : [...reads, failure] }),
    );
    Object.assign(handling.options, { policy: { ...handling.options.policy, retryAttempts: 0 } });
    const { sink } = handling;
    const answerLater = async (answer: () => void) => {
      const wait = turns[sink.sends.length % Math.max(1, turns.length)] ?? 0;
      await null;
      for (let turn = 0; turn < wait; turn += 1) await new Promise(setImmediate);
      answer();
    };
    sink.write = (batches, onWritten) => {
      sink.sends.push(batches.flatMap(({ records }) => records));
      void answerLater(() => {
        for (const batch of batches) onWritten(batch, []);
      });
    };
    const { records } = await handling.handle(handling.record());
    const { response } = outcomeOf(records);
    if (response === undefined) throw new Error('there is no response');
    return { response, chunks: handling.chunks() };
  }

  it.each(recordings)('%s add up to its response byte for byte, for any cuts of both', async (name) => {
    const bytes = recording(name);
    const positions = fc.array(fc.nat(bytes.length), { maxLength: 60 });
    const turns = fc.array(fc.nat(3), { maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(positions, turns, async (cuts, waits) => {
        const { response, chunks } = await handle(cut(bytes, cuts), waits);
        const encode = (choices: Choice[]) => codec.encode('ChatResponse', { ...response, choices });
        expect(encode(foldChunks(chunks)).equals(encode(asStreamed(response.choices)))).toBe(true);
        expect(chunks.map(({ sequence }) => sequence)).toEqual(chunks.map((_, index) => index));
      }),
      { numRuns: 25 },
    );
  });
});

describe('a text of a megabyte', () => {
  /** Processor time of everything between the wire and the records, in microseconds. */
  function workFor(bytes: number): number {
    const event = `data: {"choices":[{"index":0,"delta":{"content":"12345678"}}]}\n\n`;
    const stream = Buffer.from(`${event.repeat(bytes / 8)}data: [DONE]\n\n`);
    const decoder = new StreamDecoder({ provider: 'openai', model: 'gpt-4o', apiKey: '' }, null);
    const fold = new CompletionFold();
    const { clock, sink } = new Handling();
    sink.quick = false;
    const publisher = new ChunkPublisher({ sink, codec, topic: 'chunks', clock, maxBufferedBytes: 1e9 });
    const chunks = publisher.open({ requestId: 'r', tenantId: 't', attempt: 1, headers: {} });
    const before = process.cpuUsage();
    for (let start = 0; start < stream.length; start += 100) {
      const deltas = decoder.push(stream.subarray(start, start + 100))?.deltas ?? [];
      for (const delta of deltas) fold.add(delta);
      void chunks.publish(deltas);
    }
    expect(fold.result()[0]?.content).toHaveLength(bytes);
    const { user, system } = process.cpuUsage(before);
    return user + system;
  }

  it('takes work proportional to its length', () => {
    workFor(65_536);
    // Sixteen times the text; quadratic would be 256 times the work, and noise is far below four times.
    expect(workFor(1_048_576)).toBeLessThan(64 * workFor(65_536));
  });
});
