import { describe, expect, it } from 'vitest';
import { StreamDecoder } from '../../src/adapters/openai/stream/stream-decoder.ts';
import type { ChatProvider, ProviderEvents } from '../../src/ports/provider.ts';
import { Handling, outcomeOf } from '../support/fakes/handling.ts';
import { streamSample, wholeAnswerSample } from './provider-answer-samples.ts';
import { type Places, providerFields } from './provider-fields.ts';
import { sentRequests } from './sent-requests.ts';
import { carries, valuesAt } from './values-at.ts';

/** One mapped object: the provider's form of it, and our records by name. */
interface Journey {
  readonly provider: unknown;
  readonly records: Readonly<Record<string, unknown>>;
}

describe('a request', () => {
  const journeys = sentRequests.map(
    ({ request, body }): Journey => ({ provider: body, records: { ChatRequest: request } }),
  );
  const { places } = providerFields.ChatCompletionCreateParamsBase;

  it.each(fieldsOf(places))('maps $field to $path', ({ path, field }) => {
    expect(journeys.some((journey) => meet(journey, path, field))).toBe(true);
  });

  it.each(setOf(places))('has only $values at $path', ({ path, values }) => {
    const found = journeys.flatMap(({ provider }) => valuesAt(provider, path));
    expect(new Set(found)).toEqual(new Set(values));
  });

  it.each(leftOutOf(places))('has nothing at $path', ({ path }) => {
    const found = journeys.flatMap(({ provider }) => valuesAt(provider, path));
    // The list form of the same member may be present; it has a separate row.
    expect(found.filter((value) => !Array.isArray(value))).toEqual([]);
  });

  it('has no member that the table lacks', () => {
    for (const { provider } of journeys) expect(strays(provider, places)).toEqual([]);
  });
});

describe.each([
  {
    what: 'a streamed answer',
    sample: streamSample,
    places: providerFields.ChatCompletionChunk.places,
    decode: (decoder: StreamDecoder) => {
      const events = [...streamSample.map((chunk) => JSON.stringify(chunk)), '[DONE]'];
      return decoder.push(Buffer.from(events.map((data) => `data: ${data}\n\n`).join('')));
    },
  },
  {
    what: 'a whole answer',
    sample: [wholeAnswerSample],
    places: providerFields.ChatCompletion.places,
    decode: (decoder: StreamDecoder) => {
      decoder.push(Buffer.from(JSON.stringify(wholeAnswerSample)));
      return decoder.end();
    },
  },
])('$what', async ({ sample, places, decode }) => {
  const journeys = await answer(sample, decode);

  it.each(fieldsOf(places))('maps $path to $field', ({ path, field }) => {
    expect(journeys.some((journey) => meet(journey, path, field))).toBe(true);
  });

  it.each(leftOutOf(places))('leaves $path out', ({ path }) => {
    const values = journeys.flatMap(({ provider }) => valuesAt(provider, path));
    expect(values).not.toEqual([]);
    for (const { records } of journeys) {
      for (const value of values) expect(carries(records, value)).toBe(false);
    }
  });

  it('of the sample has no member that the table lacks', () => {
    for (const { provider } of journeys) expect(strays(provider, places)).toEqual([]);
  });
});

/** Handles a request with this answer. */
async function answer(
  sample: readonly unknown[],
  decode: (decoder: StreamDecoder) => ProviderEvents | null,
): Promise<Journey[]> {
  const provider: ChatProvider = {
    name: 'openai',
    account: null,
    stream: async () => {
      const context = { provider: 'openai', model: 'gpt-4', apiKey: 'sk-test' };
      const decoder = new StreamDecoder(context, 'req_1');
      const events = decode(decoder);
      if (decoder.failure !== null) throw decoder.failure;
      return {
        served: decoder.served,
        rateLimits: null,
        async *[Symbol.asyncIterator]() {
          if (events !== null) yield events;
        },
      };
    },
  };
  const handling = new Handling(undefined, { providers: new Map([['openai', provider]]) });
  const { records } = await handling.handle(handling.record());
  const { response, cost } = outcomeOf(records);
  const chunks = handling.chunks();
  return sample.flatMap((one) =>
    chunks.map((chunk) => ({
      provider: one,
      records: { ChatChunk: chunk, ChatResponse: response, CostCalculated: cost },
    })),
  );
}

/** Whether both sides have the same value, each at its own path. */
function meet({ provider, records }: Journey, path: string, field: string): boolean {
  const theirs = valuesAt(provider, path);
  const ours = valuesAt(records, field);
  const toProvider = field.startsWith('ChatRequest.');
  return theirs.some((their) => ours.some((our) => (toProvider ? carries(their, our) : carries(our, their))));
}

/** Paths of values that have no row. An object with free names, which has no rows below it, is one value. */
function strays(value: unknown, places: Places, path = ''): string[] {
  if (value === null) return [];
  if (Array.isArray(value)) return value.flatMap((item) => strays(item, places, `${path}[]`));
  const prefix = path === '' ? '' : `${path}.`;
  const hasMembers = Object.keys(places).some((row) => row.startsWith(prefix));
  if (typeof value !== 'object' || !hasMembers) return path in places ? [] : [path];
  return Object.entries(value).flatMap(([name, member]) => strays(member, places, `${prefix}${name}`));
}

function fieldsOf(places: Places) {
  return Object.entries(places).flatMap(([path, place]) =>
    'set' in place || 'leftOut' in place ? [] : place.map((field) => ({ path, field })),
  );
}

function setOf(places: Places) {
  return Object.entries(places).flatMap(([path, place]) =>
    'set' in place ? [{ path, values: place.set }] : [],
  );
}

function leftOutOf(places: Places) {
  return Object.entries(places).flatMap(([path, place]) => ('leftOut' in place ? [{ path }] : []));
}
