import { createSingleObjectCodec } from '../../../src/adapters/avro/single-object-codec.ts';
import type { ChatRequestInput } from '../../../src/contract/record-types.ts';
import { sampleCost, sampleRequest, sampleResponse } from '../../contract/sample-records.ts';

/** What the service's topics take by default. */
export const RECORD_MAX_BYTES = 900_000;

export const codec = createSingleObjectCodec(RECORD_MAX_BYTES);

export function encodeSample(request: ChatRequestInput): Buffer {
  return codec.encode('ChatRequest', request);
}

/** Values that are not requests, or not of the usual form. Mutations take pieces of them. */
export const otherRecords: readonly Buffer[] = [
  codec.encode('ChatRequest', sampleRequest),
  codec.encode('ChatResponse', sampleResponse),
  codec.encode('CostCalculated', sampleCost),
];
