import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StreamDecoder } from '../../../../src/adapters/openai/stream/stream-decoder.ts';
import type { CompletionDelta } from '../../../../src/domain/completion/completion-delta.ts';
import { CompletionFold } from '../../../../src/domain/completion/fold-completion.ts';
import type { ReportedUsage } from '../../../../src/domain/cost/usage.ts';
import type { ChatFailure } from '../../../../src/domain/failures/chat-failure.ts';
import type { ServedBy } from '../../../../src/ports/provider.ts';
import { cut, decodeReads, recording, recordings } from '../../../support/recorded-streams.ts';

const context = { provider: 'openai', model: 'gpt-4o-mini', apiKey: 'sk-test' };

interface Decoded {
  deltas: CompletionDelta[];
  usage: ReportedUsage | null;
  served: ServedBy;
  failure: ChatFailure | null;
}

function decode(pieces: readonly Uint8Array[]): Decoded {
  const { reads, decoder, failure } = decodeReads(pieces);
  return {
    deltas: reads.flatMap((events) => events.deltas),
    usage: reads.findLast((events) => events.usage !== null)?.usage ?? null,
    served: decoder.served,
    failure,
  };
}

const decodeText = (text: string): Decoded => decode([Buffer.from(text)]);

describe('a recorded stream', () => {
  it.each(recordings)('%s decodes to the same for any single cut', (name) => {
    const bytes = recording(name);
    const whole = JSON.stringify(decode([bytes]));
    for (let position = 1; position < bytes.length; position += 1) {
      if (JSON.stringify(decode(cut(bytes, [position]))) !== whole) {
        expect.fail(`another result when cut at byte ${position}`);
      }
    }
  });

  it('decodes to the same for any number of cuts, down to single bytes', () => {
    const all = recordings.map(recording);
    for (const bytes of all) {
      const single = Array.from(bytes, (_, index) => bytes.subarray(index, index + 1));
      expect(decode(single)).toEqual(decode([bytes]));
    }
    fc.assert(
      fc.property(
        fc.constantFrom(...all),
        fc.array(fc.integer({ min: 0, max: 900 }), { maxLength: 40 }),
        (bytes, cuts) => {
          expect(decode(cut(bytes, cuts))).toEqual(decode([bytes]));
        },
      ),
      { numRuns: 50 },
    );
  });

  it('returns text, usage, and the model and tier that served it', () => {
    const { deltas, usage, served, failure } = decode([recording('text.sse')]);
    expect(deltas[0]?.role).toBe('assistant');
    expect(deltas.map((delta) => delta.content).join('')).toBe('Grüße aus 東京 🗼!\n“Zeile”');
    expect(deltas.at(-1)?.finishReason).toBe('stop');
    expect(usage).toMatchObject({ inputTokens: 12, outputTokens: 6, confidence: 'PROVIDER' });
    expect(served).toEqual({
      responseId: 'chatcmpl-Fx1',
      model: 'gpt-4o-mini-2024-07-18',
      serviceTier: 'default',
      systemFingerprint: 'fp_0aa8d3e20b',
      moderationJson: null,
      providerRequestId: 'req_1',
    });
    expect(failure).toBeNull();
  });

  it.each(['text-crlf-comments.sse', 'text-no-final-blank-line.sse', 'text-no-done.sse'])(
    '%s decodes to the same as the plain one',
    (name) => {
      expect(decode([recording(name)])).toEqual(decode([recording('text.sse')]));
    },
  );

  it('completes without usage, and uses the last of several', () => {
    expect(decode([recording('text-no-usage.sse')])).toMatchObject({ usage: null, failure: null });
    const repeated = decode([recording('text-usage-with-choices.sse')]);
    expect(repeated.usage?.outputTokens).toBe(6);
  });

  it('keeps deltas after the finish reason', () => {
    const { deltas } = decode([recording('audio.sse')]);
    expect(deltas.at(-1)?.audio?.expiresAt).toBe(1_760_003_600_000);
  });

  it('returns what came before an error event, and reports the error', () => {
    const { deltas, failure } = decode([recording('error-event.sse')]);
    expect(deltas.map((delta) => delta.content).join('')).toBe('Grüße aus');
    expect(failure).toMatchObject({ code: 'provider_error', retryable: true, providerType: 'server_error' });
  });

  it('returns what came before malformed JSON, and quotes none of it', () => {
    const { deltas, failure } = decode([recording('malformed.sse')]);
    expect(deltas.map((delta) => delta.content).join('')).toBe('Grüße aus');
    expect(failure).toMatchObject({ code: 'provider_error', retryable: true, providerRequestId: 'req_1' });
    expect(failure?.cause).toBeUndefined();
    expect(failure?.message).not.toContain('choices');
  });

  it('is interrupted when it ends without a finish reason, even in the middle of an event', () => {
    const interrupted = { code: 'stream_interrupted', retryable: true };
    expect(decode([recording('cut.sse')]).failure).toMatchObject(interrupted);
    const bytes = recording('text-no-done.sse');
    expect(decode([bytes.subarray(0, bytes.length - 40)]).failure).toMatchObject(interrupted);
    expect(decode([]).failure).toMatchObject(interrupted);
    expect(decodeText('data: [DONE]\n\n').failure).toMatchObject(interrupted);
  });

  it('is interrupted when one of several choices has no finish reason', () => {
    const text = recording('two-choices-logprobs.sse').toString();
    expect(decodeText(text).failure).toBeNull();
    expect(decodeText(text.replace('"length"', 'null')).failure?.code).toBe('stream_interrupted');
  });
});

describe('an event of a stream', () => {
  it('that is valid JSON but not an object is malformed', () => {
    expect(decodeText('data: [1]\n\n').failure?.code).toBe('provider_error');
    expect(decodeText('data: "x"\n\n').failure?.code).toBe('provider_error');
  });

  it('without data, choices or contents yields nothing', () => {
    const decoder = new StreamDecoder(context, null);
    expect(decoder.push(Buffer.from(': wait\n\ndata:\n\ndata: {"choices":[]}\n\n'))).toBeNull();
    expect(decoder.push(Buffer.from('data: {"choices":[{"index":0,"delta":{}}]}\n\n'))).toBeNull();
    expect(decoder.push(Buffer.from('data: {"choices":null,"error":null}\n\n'))).toBeNull();
    expect(decoder.failure).toBeNull();
  });
});

describe('members of the answer that came without a piece', () => {
  it('go with the next piece, each once with its last value', () => {
    const chunks = [
      { choices: [], progress: 1, provider: 'x' },
      { choices: [], progress: 2 },
      { choices: [{ index: 0, delta: { content: 'a' } }], progress: 3 },
      { choices: [{ index: 0, delta: { content: 'b' } }], progress: 3 },
    ];
    const { deltas } = decodeText(chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join(''));
    expect(deltas.map(({ content, answerExtraJson }) => [content, answerExtraJson])).toEqual([
      ['a', '{"progress":3,"provider":"x"}'],
      ['b', null],
    ]);
  });
});

describe('a complete answer instead of a stream', () => {
  const whole = (body: unknown, init: ResponseInit = {}): Decoded => {
    const head = new Response(null, init);
    const decoder = new StreamDecoder(context, null, { head });
    expect(decoder.push(Buffer.from(JSON.stringify(body)))).toBeNull();
    const events = decoder.end();
    return {
      deltas: [...(events?.deltas ?? [])],
      usage: events?.usage ?? null,
      served: decoder.served,
      failure: decoder.failure,
    };
  };

  it('is returned as one piece', () => {
    const message = { role: 'assistant', content: 'Hi', refusal: null, annotations: [] };
    const { deltas, usage, failure } = whole({
      id: 'chatcmpl-2',
      choices: [{ index: 0, message, finish_reason: 'stop', logprobs: null }],
      usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
    });
    const fold = new CompletionFold();
    for (const delta of deltas) fold.add(delta);
    expect(fold.result()).toMatchObject([{ content: 'Hi', finishReason: 'stop', annotations: [] }]);
    expect(usage?.totalTokens).toBe(2);
    expect(failure).toBeNull();
  });

  it('that is an error with status 200 is that error, with the wait that its headers ask for', () => {
    const error = { message: 'Slow down', code: 'rate_limit_exceeded' };
    expect(whole({ error }, { headers: { 'retry-after': '3' } }).failure).toMatchObject({
      code: 'rate_limited',
      httpStatus: 200,
      retryAfterMs: 3000,
    });
  });
});
