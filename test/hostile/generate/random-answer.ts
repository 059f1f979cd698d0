import { Random } from '../../faults/random.ts';
import { recording, recordings } from '../../support/recorded-streams.ts';
import { mutateBytes } from './mutate-bytes.ts';
import { mutateJson } from './mutate-json.ts';
import { randomBytes } from './random-request.ts';
import { oddText, oddValue, seedAt } from './random-values.ts';

/** An answer of a provider, in the pieces in which it goes over the wire. */
export interface RandomAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly pieces: readonly Buffer[];
  /** Whether the connection breaks behind the last piece. */
  readonly isCut: boolean;
}

const STREAM = 'text/event-stream; charset=utf-8';
const JSON_TYPE = 'application/json';
const DONE = '[DONE]';

const streams: readonly Buffer[] = recordings.map(recording);
/** The data of each event of each recording, as JSON where it is. */
const eventLists: readonly (readonly unknown[])[] = streams.map((bytes) =>
  bytes
    .toString()
    .split(/\r?\n\r?\n/)
    .flatMap((event) => /^data: ?(.*)$/m.exec(event)?.[1] ?? [])
    .map(parsed),
);
const wholeAnswer = {
  id: 'chatcmpl-1',
  object: 'chat.completion',
  created: 1_760_000_000,
  model: 'gpt-4-0613',
  choices: [
    {
      index: 0,
      message: {
        role: 'assistant',
        content: 'Hello',
        refusal: null,
        annotations: [
          {
            type: 'url_citation',
            url_citation: { start_index: 0, end_index: 1, url: 'https://a.b', title: 't' },
          },
        ],
        audio: { id: 'audio_1', data: 'AAAA', expires_at: 1_760_000_000, transcript: 'Hello' },
        tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'f', arguments: '{}' } }],
      },
      logprobs: { content: [{ token: 'Hello', logprob: -0.1, bytes: [72], top_logprobs: [] }] },
      finish_reason: 'stop',
    },
  ],
  usage: {
    prompt_tokens: 10,
    completion_tokens: 5,
    total_tokens: 15,
    prompt_tokens_details: { cached_tokens: 1, audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: 1, audio_tokens: 0 },
  },
};
const errorAnswer = {
  error: { message: 'No.', type: 'invalid_request_error', param: 'messages', code: 'bad' },
};

/** The answer at a position in the row of a seed, the same each time. */
export function randomAnswer(seed: number, index: number, isStreamed: boolean): RandomAnswer {
  const random = new Random(seedAt(seed ^ 0x5f5f5f5f, index));
  const choice = random.next();
  if (choice < 0.06) return refusal(random);
  const isStream = random.chance(0.03) ? !isStreamed : isStreamed;
  const body = isStream ? streamBody(random) : wholeBody(random);
  const type = isStream ? STREAM : JSON_TYPE;
  return {
    status: random.chance(0.01) ? random.pick([201, 202, 204, 206]) : 200,
    headers: {
      ...oddHeaders(random),
      'content-type': random.chance(0.03) ? random.pick([STREAM, JSON_TYPE, 'text/html', 'x']) : type,
    },
    ...inPieces(random, body),
  };
}

function refusal(random: Random): RandomAnswer {
  const status = random.pick([
    400, 401, 403, 404, 408, 409, 413, 422, 429, 499, 500, 502, 503, 504, 529, 599,
  ]);
  const text = JSON.stringify(mutateJson(random, errorAnswer, random.between(0, 3)));
  const body = random.chance(0.7)
    ? text
    : random.pick([oddText(random), '', '<html>no</html>', oddText(random).repeat(500)]);
  return {
    status,
    headers: { ...oddHeaders(random), 'content-type': JSON_TYPE },
    ...inPieces(random, Buffer.from(body)),
  };
}

function oddHeaders(random: Random): Record<string, string> {
  if (random.chance(0.8)) return { 'x-request-id': 'req_1' };
  const value = random.pick([
    '',
    '0',
    '-1',
    '1e308',
    '9'.repeat(30),
    'NaN',
    '1s',
    '6m0s',
    'x'.repeat(5_000),
    'Wed, 21 Oct 2015 07:28:00 GMT',
  ]);
  const name = random.pick([
    'x-request-id',
    'retry-after',
    'retry-after-ms',
    'x-ratelimit-remaining-requests',
    'x-ratelimit-reset-tokens',
  ]);
  return { [name]: value };
}

function wholeBody(random: Random): Buffer {
  const text = JSON.stringify(
    mutateJson(random, random.chance(0.1) ? errorAnswer : wholeAnswer, random.between(0, 4)),
  );
  return random.chance(0.85)
    ? Buffer.from(text)
    : mutateBytes(random, Buffer.from(text), random.between(1, 3));
}

function streamBody(random: Random): Buffer {
  if (random.chance(0.2))
    return mutateBytes(random, random.pick(streams), random.between(0, 4), random.pick(streams));
  const events = mutateEvents(random, [...random.pick(eventLists)]);
  const end = random.chance(0.1) ? '\r\n' : '\n';
  const text = events.map((event) => `${prefix(random)}${line(event)}${end}${end}`).join('');
  return random.chance(0.9) ? Buffer.from(text) : mutateBytes(random, Buffer.from(text), 1);
}

function mutateEvents(random: Random, events: unknown[]): unknown[] {
  for (let left = random.between(0, 4); left > 0 && events.length > 0; left -= 1) {
    const at = random.between(0, events.length - 1);
    const choice = random.next();
    if (choice < 0.6) events[at] = mutateJson(random, events[at], random.between(1, 3));
    else if (choice < 0.7) events.splice(at, 1);
    else if (choice < 0.8) events.splice(at, 0, events[random.between(0, events.length - 1)]);
    else if (choice < 0.9) events.splice(at, 0, random.chance(0.5) ? oddValue(random) : errorAnswer);
    else if (choice < 0.95) events.splice(at, 0, random.pick(random.pick(eventLists)));
    else events[at] = longer(random, events[at]);
  }
  return events;
}

/** The same event with a text as long as a whole answer's. */
function longer(random: Random, event: unknown): unknown {
  const text = random
    .pick(['x', 'ü', '💥', '\\', '\u0000'])
    .repeat(random.between(1_000, random.chance(0.05) ? 700_000 : 20_000));
  const json = JSON.stringify(event) ?? 'null';
  return parsed(
    json.replace(
      /"(content|arguments|refusal|transcript)":"[^"]*"/,
      (_, name) => `"${name}":${JSON.stringify(text)}`,
    ),
  );
}

function prefix(random: Random): string {
  if (random.chance(0.95)) return 'data: ';
  return random.pick([
    'data:',
    ': comment\ndata: ',
    'event: error\ndata: ',
    'id: 1\nretry: 5\ndata: ',
    'data: \ndata: ',
    '',
  ]);
}

function line(event: unknown): string {
  return event === DONE ? DONE : (JSON.stringify(event) ?? 'undefined');
}

function inPieces(random: Random, body: Buffer): { pieces: Buffer[]; isCut: boolean } {
  const isCut = random.chance(0.1);
  const length = isCut ? random.between(0, body.length) : body.length;
  const cuts = random.chance(0.5) ? 0 : random.between(1, random.chance(0.05) ? 60 : 6);
  const at = Array.from({ length: cuts }, () => random.between(0, length)).sort((one, other) => one - other);
  const bounds = [0, ...at, length];
  const pieces = bounds.slice(1).map((end, place) => body.subarray(bounds[place], end));
  return { isCut, pieces: random.chance(0.02) ? [...pieces, randomBytes(random, 50)] : pieces };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
