import type { RecordCodec } from '../../contract/codec.ts';
import { createAvroCodec } from './avro-codec.ts';
import { loadSchemas } from './load-schemas.ts';

/** The framing that needs no schema registry, with the schemas that ship with the service. */
export function createSingleObjectCodec(maxBytes: number): RecordCodec {
  return createAvroCodec({ schemas: loadSchemas(), framing: { kind: 'single-object' }, maxBytes });
}
