import type { Random } from '../../faults/random.ts';
import type { ByteAnswer } from '../../support/stand-in/byte-answer.ts';
import type { Script } from '../../support/stand-in/script.ts';
import { mutateJson } from '../generate/mutate-json.ts';
import { oddValue } from '../generate/random-values.ts';

/** The provider's answer, and whether the request asks for a stream. */
export interface HostileAnswer {
  readonly script: Script;
  readonly stream?: boolean;
}

type MakeAnswer = (random: Random) => HostileAnswer;
type Pieces = ByteAnswer['pieces'];

const HEAD =
  '{"id":"chatcmpl-h","object":"chat.completion.chunk","created":1760000000,"model":"gpt-4-0613","choices":[';
const USAGE =
  'data: {"id":"chatcmpl-h","object":"chat.completion.chunk","created":1760000000,"model":"gpt-4-0613","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}\n\n';
const FINISH = `data: ${HEAD}{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}\n\n${USAGE}data: [DONE]\n\n`;
/** Size of one text that is sent in a single event. */
const LONG = 2_000_000;

/** Every kind of hostile answer, by name. */
export const hostileAnswers: Readonly<Record<string, MakeAnswer>> = {
  // Numbers in place of integers.
  'choice-index': (random) =>
    stream([
      choice(
        random.pick(['0.5', '-1', '3e9', '1e308', '9007199254740993', 'null', '"0"']),
        '{"content":"a"}',
      ),
    ]),
  'tool-index': (random) =>
    stream([
      delta(
        `{"tool_calls":[{"index":${random.pick(['3e9', '1e308', '-1', '0.5', 'null', '{}'])},"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]}`,
      ),
    ]),
  'audio-expiry': (random) =>
    stream([
      delta(
        `{"audio":{"id":"a","data":"AAAA","expires_at":${random.pick(['1.0005', '1e308', '-1', '"x"'])},"transcript":"t"}}`,
      ),
    ]),
  annotations: (random) =>
    stream([
      delta(
        `{"annotations":${random.pick(['[{"type":"url_citation","url_citation":{"start_index":0.5,"end_index":1e308,"url":"u","title":"t"}}]', '[null]', '{"a":1}', '[{"type":7}]', '"x"', '[[[[]]]]'])}}`,
      ),
    ]),
  'usage-large': (random) => {
    const tokens = random.pick([
      '9007199254740992',
      '9007199254740991',
      '1e308',
      '-5',
      '0.5',
      '99999999999999999999',
      'null',
      '"10"',
    ]);
    return stream([
      delta('{"content":"a"}'),
      `data: ${HEAD}],"usage":{"prompt_tokens":${tokens},"completion_tokens":${tokens},"total_tokens":${tokens},"prompt_tokens_details":{"cached_tokens":${tokens}}}}\n\ndata: [DONE]\n\n`,
    ]);
  },
  'odd-members': (random) =>
    stream(
      Array.from(
        { length: 5 },
        () =>
          `data: ${JSON.stringify(mutateJson(random, JSON.parse(`${HEAD}{"index":0,"delta":{"role":"assistant","content":"a"},"finish_reason":null}]}`), 3))}\n\n`,
      ),
    ),
  'odd-events': (random) =>
    stream(Array.from({ length: 10 }, () => `data: ${JSON.stringify(oddValue(random))}\n\n`)),
  // Very many of one thing.
  'delta-large': () => pieces(inside('{"content":"', 'x', LONG, '"}')),
  'delta-large-letters': () => pieces(inside('{"content":"', 'ü', LONG / 2, '"}')),
  'delta-very-large': () => pieces(inside('{"content":"', 'x', 100_000_000, '"}')),
  'arguments-large': () =>
    pieces(
      inside(
        '{"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":"',
        'x',
        LONG,
        '"}}]}',
      ),
    ),
  'refusal-large': () => pieces(inside('{"refusal":"', 'x', LONG, '"}')),
  'audio-wav': () =>
    pieces(
      inside('{"audio":{"id":"a","data":"', 'AAAA', 480_000, '","expires_at":1760000000,"transcript":"t"}}'),
    ),
  'logprobs-large': () =>
    pieces(
      inside(
        '{"content":"a"},"logprobs":{"content":[{"token":"a","logprob":-1,"bytes":[97],"top_logprobs":[]}',
        ',{"token":"a","logprob":-1,"bytes":[97],"top_logprobs":[]}',
        20_000,
        ']},"x":{',
      ),
    ),
  'annotations-large': () =>
    pieces(
      inside(
        '{"annotations":[null',
        ',{"type":"url_citation","url_citation":{"start_index":0,"end_index":1,"url":"u","title":"t"}}',
        15_000,
        ']}',
      ),
    ),
  'many-tool-calls': () =>
    pieces([
      {
        text: delta(
          '{"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":"x"}}]}',
        ),
        times: 3_000,
      },
    ]),
  'many-choices': () =>
    stream(Array.from({ length: 2_000 }, (_, index) => choice(String(index), '{"content":"a"}'))),
  'response-id-large': () =>
    pieces([
      { text: 'data: {"id":"' },
      { text: 'x', times: 3_000_000 },
      {
        text: `","object":"chat.completion.chunk","created":1,"model":"gpt-4","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}\n\n`,
      },
    ]),
  'model-large': () =>
    pieces([
      { text: 'data: {"id":"a","created":1,"model":"' },
      { text: 'x', times: 1_500_000 },
      { text: '","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}\n\n' },
    ]),
  'finish-reason-large': () =>
    pieces([
      { text: `data: ${HEAD}{"index":0,"delta":{"content":"a"},"finish_reason":"` },
      { text: 'x', times: 1_500_000 },
      { text: '"}]}\n\n' },
    ]),
  // Endless answers.
  'line-without-end': () => endless([{ text: 'data: ' }, { text: 'x'.repeat(64), times: 100_000_000 }]),
  'event-without-end': () => endless([{ text: 'data: {"a":1}\n', times: 100_000_000 }]),
  'comments-without-end': () => endless([{ text: `: ${'c'.repeat(100)}\n`, times: 100_000_000 }]),
  'chunks-without-end': () =>
    endless([{ text: delta(`{"content":"${'y'.repeat(1_000)}"}`), times: 100_000_000 }]),
  'empty-chunks-without-end': () => endless([{ text: delta('{}'), times: 100_000_000 }]),
  'slow-chunks': () => pieces([{ text: delta('{"content":"z"}'), times: 30, gapMs: 50 }]),
  // Errors, and bodies that are neither answer nor error.
  'error-body-large': (random) => ({
    script: {
      status: random.pick([400, 403, 404]),
      body: JSON.stringify({
        error: { message: random.pick(SLOW_TO_MASK), type: 'invalid_request_error' },
      }).slice(0, 65_536),
    },
  }),
  'error-body-long': () => ({
    script: { status: 400, body: `{"error":{"message":"${'x'.repeat(600_000)}"}}` },
  }),
  'error-with-200': () => ({ script: { error: { message: SLOW_TO_MASK[0] ?? '' } } }),
  'error-event': () => ({
    script: { tokens: 5, errorAfterTokens: 3, error: { message: SLOW_TO_MASK[1] ?? '' } },
  }),
  'html-with-200': () => ({
    script: { body: `<html>${'x'.repeat(100_000)}</html>`, headers: { 'content-type': 'text/html' } },
  }),
  'json-deep': () =>
    pieces([
      { text: 'data: {"choices":' },
      { text: '[', times: 200_000 },
      { text: ']', times: 200_000 },
      { text: '}\n\n' },
    ]),
  'bytes-no-utf8': () =>
    pieces([{ base64: Buffer.from([0xff, 0xfe, 0x0a, 0x0a]).toString('base64'), times: 1_000 }]),
  // Invalid stream ends.
  stall: () => ({ script: { tokens: 5, stallAfterTokens: 2 } }),
  'stall-at-once': () => ({ script: { bytes: { pieces: [], ending: 'stall' } } }),
  'stall-in-event': () => ({ script: { bytes: { pieces: [{ text: 'data: {"id":"a' }], ending: 'stall' } } }),
  cut: (random) => ({ script: { tokens: 8, cutAfterTokens: random.between(0, 7) } }),
  'end-early': (random) => ({ script: { tokens: 8, endAfterTokens: random.between(0, 7) } }),
  malformed: () => ({ script: { tokens: 8, malformedAfterTokens: 3 } }),
  // Answers without a stream.
  'whole-large-text': () => whole('{"role":"assistant","content":"', 'x', LONG, '"}'),
  'whole-large-audio': () =>
    whole(
      '{"role":"assistant","content":null,"audio":{"id":"a","expires_at":1760000000,"transcript":"t","data":"',
      'AAAA',
      480_000,
      '"}}',
    ),
  'whole-without-end': () => ({
    stream: false,
    script: {
      bytes: {
        pieces: [
          { text: '{"choices":[{"index":0,"message":{"content":"' },
          { text: 'x'.repeat(64), times: 100_000_000 },
        ],
      },
      headers: { 'content-type': 'application/json' },
    },
  }),
  'whole-odd': (random) => ({
    stream: false,
    script: {
      bytes: { pieces: [{ text: JSON.stringify(oddValue(random)) }] },
      headers: { 'content-type': 'application/json' },
    },
  }),
};

/** Texts that the masking of secrets may be slow on. */
const SLOW_TO_MASK = [
  'sk-'.repeat(21_000),
  `Bearer ${'a.'.repeat(31_000)}`,
  'a@'.repeat(31_000),
  `${'sk-a'.repeat(10)}${'-'.repeat(60_000)}`,
  `https://${'u:p@'.repeat(15_000)}`,
  'api_key='.repeat(8_000),
  `"${'\\\\"'.repeat(15_000)}`,
];

function choice(index: string, body: string): string {
  return `data: ${HEAD}{"index":${index},"delta":${body},"finish_reason":null}],"usage":null}\n\n`;
}

function delta(body: string): string {
  return choice('0', body);
}

function stream(events: readonly string[]): HostileAnswer {
  return pieces(events.map((text) => ({ text })));
}

function pieces(list: Pieces): HostileAnswer {
  return { script: { bytes: { pieces: [...list, { text: FINISH }] } } };
}

function endless(list: Pieces): HostileAnswer {
  return { script: { bytes: { pieces: list } } };
}

/** One event with a text of the given length. */
function inside(head: string, text: string, times: number, tail: string): Pieces {
  return [
    { text: `data: ${HEAD}{"index":0,"delta":${head}` },
    { text, times },
    { text: `${tail},"finish_reason":null}],"usage":null}\n\n` },
  ];
}

function whole(head: string, text: string, times: number, tail: string): HostileAnswer {
  const before = `{"id":"chatcmpl-h","object":"chat.completion","created":1760000000,"model":"gpt-4-0613","choices":[{"index":0,"message":${head}`;
  const after = `${tail},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}`;
  return {
    stream: false,
    script: {
      bytes: { pieces: [{ text: before }, { text, times }, { text: after }] },
      headers: { 'content-type': 'application/json' },
    },
  };
}
