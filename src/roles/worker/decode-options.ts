import { readBody } from '../../adapters/openai/json-body/read-body.ts';
import type { Config } from '../../config/load-config.ts';
import type { RecordCodec } from '../../contract/codec.ts';
import { topicNames } from '../../contract/topics.ts';
import type { DecodeOptions } from '../../pipeline/intake/decode-request.ts';

/**
 * How records of the request topics are read.
 *
 * @param partitionsOf how many partitions a topic has now; null if nothing is published there
 */
export function decodeOptions(
  { topics, limits }: Config,
  codec: RecordCodec,
  partitionsOf: ((topic: string) => number) | null = null,
): DecodeOptions {
  const { replies, chunks } = topicNames(topics.prefix);
  return {
    codec,
    readBody,
    jsonMaxBytes: limits.recordMaxBytes,
    ...(partitionsOf !== null && {
      replies: {
        topics: new Set(topics.replies),
        defaultTopic: replies,
        chunkTopic: chunks,
        partitionsOf,
      },
    }),
    tenantOfTopic: new Map(topics.requests.map(({ topic, tenantId }) => [topic, tenantId])),
  };
}
