import { readHeaders } from '../../../src/pipeline/intake/read-headers.ts';
import type { HeaderValue, RecordHeaders } from '../../../src/ports/kafka.ts';
import { type Candidate, inbound } from './candidate.ts';
import { names, texts, trees } from './values.ts';

const BODY = Buffer.from('{"messages":[{"role":"user","content":"Hi"}],"model":"gpt-4o"}');
/** Read by others than the request itself: trace context, framing, and labels under some name. */
const OTHERS = ['label-a', 'traceparent', 'tracestate', 'baggage', '__value_schema_id', 'ce_id', 'dead-code'];
const FEWEST_BYTES_OF_A_HEADER = 4;

/** Hostile headers: each that is read, as long as a record is; very many; keys of records. */
export function headerCandidates(maxBytes: number): Candidate[] {
  const long = [...headersRead(), ...OTHERS].flatMap((header) =>
    [...texts, ...trees].map(({ name, make }) => ({
      field: `header ${header}`,
      input: name,
      record: () => inbound(BODY, headersOf([[header, Buffer.from(make(maxBytes))]])),
    })),
  );
  const pairs: readonly [string, (bytes: number) => string][] = [
    ['pairs', (bytes) => repeated((index) => `k${index}=v`, ',', bytes)],
    ['pairs with properties', (bytes) => repeated((index) => `k${index}=v;p;q=1`, ',', bytes)],
    ['one pair again and again', (bytes) => repeated(() => 'a=1', ',', bytes)],
    ['signs of percent', (bytes) => `a=${'%41'.repeat(Math.floor(bytes / 3))}`],
  ];
  const lists = ['tracestate', 'baggage'].flatMap((header) =>
    pairs.flatMap(([input, make]) =>
      [500, 8_000, maxBytes].map((bytes) => ({
        field: `header ${header}`,
        input: `${input}, ${bytes} bytes`,
        record: () => inbound(BODY, headersOf([[header, Buffer.from(make(bytes))]])),
      })),
    ),
  );
  const repeatedHeaders = [...headersRead(), ...OTHERS].map((header) => ({
    field: `header ${header}`,
    input: 'given again and again',
    record: () => {
      const count = Math.floor(maxBytes / (header.length + FEWEST_BYTES_OF_A_HEADER));
      return inbound(BODY, headersOf([[header, Array.from({ length: count }, () => Buffer.from('a'))]]));
    },
  }));
  const many = ['label-', 'l', ''].flatMap((prefix) =>
    names.map(({ name, make }) => ({
      field: 'header names',
      input: `very many, ${prefix}*: ${name}`,
      record: () => {
        const count = Math.floor(maxBytes / (prefix.length + 4 + FEWEST_BYTES_OF_A_HEADER));
        return inbound(BODY, headersOf(make(count).map((one) => [`${prefix}${one}`, Buffer.from('a')])));
      },
    })),
  );
  const keys = texts.map(({ name, make }) => ({
    field: 'record key',
    input: name,
    record: () => inbound(BODY, {}, Buffer.from(make(maxBytes))),
  }));
  return [...long, ...lists, ...repeatedHeaders, ...many, ...keys];
}

/** The names that the service asks for, so that a new one is covered. */
function headersRead(): string[] {
  const asked = new Set<string>();
  const headers = new Proxy({} as RecordHeaders, {
    get: (_target, name) => {
      asked.add(String(name));
      return undefined;
    },
  });
  readHeaders(inbound(null, headers));
  return [...asked];
}

function headersOf(pairs: readonly (readonly [string, HeaderValue])[]): RecordHeaders {
  const headers = Object.create(null) as RecordHeaders;
  for (const [name, value] of pairs) headers[name] = value;
  return headers;
}

function repeated(itemOf: (index: number) => string, separator: string, bytes: number): string {
  const items: string[] = [];
  for (let left = bytes, index = 0; ; index += 1) {
    const item = itemOf(index);
    left -= item.length + separator.length;
    if (left < 0) return items.join(separator);
    items.push(item);
  }
}
