import { createRequire } from 'node:module';
import { type BatchLimits, batchLimits } from '../fetch/batch-limits.ts';
import { Pacer } from '../fetch/pacer.ts';
import { type FetchOffsetOf, type FetchResponse, readFetchResponse } from '../fetch/read-fetch-response.ts';
import { ByteBudget } from '../inflation/byte-budget.ts';

interface FetchArguments {
  readonly topics: readonly {
    readonly topic: string;
    readonly partitions: readonly { readonly partition: number; readonly fetchOffset: string | number }[];
  }[];
}

interface FetchRequest {
  readonly response: {
    readonly decode: (payload: Buffer) => Promise<FetchResponse>;
    readonly parse: (response: FetchResponse) => Promise<FetchResponse>;
  };
}

type CreateFetch = (options: FetchArguments) => FetchRequest;

/** The part of kafkajs that is asked for the form of a fetch each time that one is sent. */
interface FetchProtocol {
  protocol: (version: { readonly version: number }) => CreateFetch;
}

const KAFKAJS_FETCH = 'kafkajs/src/protocol/requests/fetch/index.js';
/** The first version whose answers hold record batches. */
const FIRST_VERSION = 4;

let limits: BatchLimits | null = null;
let budget: ByteBudget | null = null;

/**
 * Makes kafkajs decode fetches with `readFetchResponse`. kafkajs's own decoder copies all headers for each header, inflates
 * without a limit, and throws again and again for a batch that it cannot read: one record stops a consumer.
 *
 * @param recordMaxBytes the largest record that is accepted; the largest of several calls counts
 */
export function installFetchDecoding(recordMaxBytes: number): void {
  const isInstalled = limits !== null;
  const wanted = batchLimits(recordMaxBytes);
  if (limits === null || wanted.recordBytes > limits.recordBytes) {
    limits = wanted;
    budget = new ByteBudget(wanted.inflatedBytes);
  }
  if (isInstalled) return;
  const fetch: FetchProtocol = createRequire(import.meta.url)(KAFKAJS_FETCH);
  const { protocol } = fetch;
  fetch.protocol = ({ version }) => {
    const create = protocol({ version });
    return version < FIRST_VERSION ? create : (options) => withOwnDecoding(create(options), version, options);
  };
}

function withOwnDecoding(request: FetchRequest, version: number, { topics }: FetchArguments): FetchRequest {
  const offsets = new Map<string, number>();
  for (const { topic, partitions } of topics)
    for (const { partition, fetchOffset } of partitions)
      offsets.set(`${topic}/${partition}`, Number(fetchOffset));
  const offsetOf: FetchOffsetOf = (topic, partition) => offsets.get(`${topic}/${partition}`) ?? 0;
  const decode = (payload: Buffer) => {
    if (limits === null || budget === null) throw new TypeError('fetch decoding is not installed');
    return readFetchResponse(payload, version, offsetOf, { limits, budget, pacer: new Pacer() });
  };
  return { ...request, response: { ...request.response, decode } };
}
