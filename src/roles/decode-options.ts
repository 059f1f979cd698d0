import { readBody } from '../adapters/openai/read-body.ts';
import type { Config } from '../config.ts';
import type { RecordCodec } from '../contract/codec.ts';
import type { DecodeOptions } from '../pipeline/decode-request.ts';

/** How records of the request topics are read. */
export function decodeOptions({ topics, limits }: Config, codec: RecordCodec): DecodeOptions {
  return {
    codec,
    readBody,
    jsonMaxBytes: limits.recordMaxBytes,
    tenantOfTopic: new Map(topics.requests.map(({ topic, tenantId }) => [topic, tenantId])),
  };
}
