import type { RecordCodec } from '../../../src/contract/codec.ts';
import type { ChatRequest, ChatRequestInput } from '../../../src/contract/record-types.ts';
import { requestSamples } from '../../contract/provider-request-samples.ts';
import { type Candidate, inbound, ROOM_BYTES } from './candidate.ts';
import { type Field, fieldsOfChatRequest, putAt, valueAt } from './fields.ts';
import { binaries, names, texts, trees } from './values.ts';

/** Counts at and below the limits of the check, beside the most that a record holds. */
const COUNTS = [128, 1_024, 4_096, 65_000];
const MAP_COUNTS = [120_000, 70_000];
/** As long as one JSON text may be, and as short as most limits of names are. */
const JSON_BYTES = 262_144;
const SCHEMA_BYTES = 65_536;
/** Of the trees, as many as are tried where JSON is a text like others. */
const PLAIN_TREES = 4;

/** Hostile values for every field of `ChatRequest`, in Avro, each in a request that is valid otherwise. */
export function avroCandidates(codec: RecordCodec, maxBytes: number): Candidate[] {
  const samples = validSamples(codec);
  return fieldsOfChatRequest().flatMap((field) => {
    const sample = samples.find((one) => valueAt(one, field.steps) !== null) ?? samples[0];
    return valuesFor(field, sample, maxBytes - ROOM_BYTES).map(({ input, make }) => ({
      field: field.path,
      input,
      record: () => {
        const request = structuredCloneOf(sample);
        if (!putAt(request, field.steps, make())) return null;
        return encoded(codec, request, maxBytes);
      },
    }));
  });
}

/** The samples of the contract's tests, made to pass the check, so that what comes after it is reached. */
export function validSamples(codec: RecordCodec): ChatRequest[] {
  const decoded = requestSamples.map(
    (sample) => codec.decode('ChatRequest', codec.encode('ChatRequest', sample)).record,
  );
  return decoded.map((request) => ({
    ...request,
    maxCost: '1000000',
    modalities: request.audio === null ? [] : ['text', 'audio'],
    ...(request.tools.length === 0 && { toolChoice: null }),
    messages: request.messages.map((message) =>
      message.content === null && message.parts.length === 0 && message.toolCalls.length === 0
        ? { ...message, content: 'Hi' }
        : message,
    ),
  }));
}

function valuesFor(field: Field, sample: unknown, bytes: number): { input: string; make: () => unknown }[] {
  switch (field.kind) {
    case 'text': {
      const isJson = field.path.endsWith('Json');
      const sizes = isJson ? [bytes, JSON_BYTES, SCHEMA_BYTES] : [bytes];
      const makers = isJson ? trees : [...texts, ...trees.slice(0, PLAIN_TREES)];
      return makers.flatMap(({ name, make }) =>
        sizes.map((size) => ({ input: `${name}, ${size} bytes`, make: () => make(size) })),
      );
    }
    case 'bytes':
      return binaries.map(({ name, make }) => ({ input: name, make: () => make(bytes) }));
    case 'map':
      return names.flatMap(({ name, make }) =>
        [...MAP_COUNTS, ...COUNTS].map((count) => ({
          input: `${count} ${name}`,
          make: () => Object.fromEntries(make(count).map((one) => [one, field.item()])),
        })),
      );
    case 'list':
      return listsFor(field, sample, bytes);
    default:
      return [Number.NaN, 1e308, -1, 0].map((value) => ({ input: String(value), make: () => value }));
  }
}

/** Many items that say nothing, many that are valid and alike, many that differ in their names. */
function listsFor(field: Field, sample: unknown, bytes: number): { input: string; make: () => unknown }[] {
  const valid = (valueAt(sample, field.steps) as unknown[] | null)?.[0];
  const kinds = [
    { input: 'empty items', item: field.item },
    ...(valid === undefined
      ? []
      : [
          { input: 'valid items', item: () => valid },
          { input: 'different items', item: (index: number) => renamed(valid, index) },
        ]),
  ];
  return kinds.flatMap(({ input, item }) => {
    const most = Math.max(1, Math.floor(bytes / sizeOf(item(999_999))));
    return [most, ...COUNTS.filter((count) => count < most)].map((count) => ({
      input: `${count} ${input}`,
      make: () => Array.from({ length: count }, (_, index) => item(index)),
    }));
  });
}

function renamed(item: unknown, index: number): unknown {
  if (typeof item === 'string') return `${index}`;
  const copy = { ...(item as Record<string, unknown>) };
  for (const name of ['id', 'toolCallId', 'name'] as const)
    if (typeof copy[name] === 'string') copy[name] = `${index}`;
  return copy;
}

/** Bytes of a value in Avro, near enough. */
function sizeOf(value: unknown): number {
  if (typeof value === 'string') return (value.length < 64 ? 1 : 3) + Buffer.byteLength(value);
  if (value instanceof Uint8Array) return 4 + value.length;
  if (Array.isArray(value))
    return value.reduce<number>((sum, item) => sum + sizeOf(item), value.length === 0 ? 1 : 2);
  if (typeof value !== 'object' || value === null) return typeof value === 'number' ? 8 : 1;
  return Object.values(value).reduce<number>((sum, member) => sum + sizeOf(member), 0);
}

function encoded(codec: RecordCodec, request: unknown, maxBytes: number) {
  try {
    const value = codec.encode('ChatRequest', request as ChatRequestInput);
    return value.length > maxBytes ? null : inbound(value);
  } catch {
    // Not a value of the field's type, such as NaN.
    return null;
  }
}

/** Bytes stay Buffers, which `structuredClone` does not keep. */
function structuredCloneOf<T>(value: T): T {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map(structuredCloneOf) as T;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, structuredCloneOf(member)]),
  ) as T;
}
