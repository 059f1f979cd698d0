import { mapRequest } from '../../../src/adapters/openai/request/map-request.ts';
import type { RecordCodec } from '../../../src/contract/codec.ts';
import { aCall } from '../../unit/openai/provider-call.ts';
import { validSamples } from './avro-candidates.ts';
import { type Candidate, inbound, ROOM_BYTES } from './candidate.ts';
import { texts, trees } from './values.ts';

/** Of the texts, only what JSON itself makes harder; the rest is the same as in Avro. */
const HARDER_IN_JSON = /quotes|control|emoji|base64|data URL|one letter/;
const MARK = '\u0000here\u0000';

/** Hostile values for every member of a JSON body, at every level that a provider's request has. */
export function jsonCandidates(codec: RecordCodec, maxBytes: number): Candidate[] {
  const found = new Map<string, string>();
  for (const request of validSamples(codec)) {
    const body = mapRequest(aCall(request), { includeObfuscationOption: false });
    for (const [path, text] of placesIn({ ...body, extra: 'extra' }))
      if (!found.has(path)) found.set(path, text);
  }
  const bytes = maxBytes - ROOM_BYTES;
  const values = [
    ...texts
      .filter(({ name }) => HARDER_IN_JSON.test(name))
      .map(({ name, make }) => ({ name, make: (size: number) => textOf(make, size) })),
    { name: 'halves of characters', make: (size: number) => `"${'\\ud800'.repeat(Math.floor(size / 6))}"` },
    { name: 'escapes', make: (size: number) => `"${'\\u0061'.repeat(Math.floor(size / 6))}"` },
    ...trees,
  ];
  const within = [...found].flatMap(([path, text]) =>
    values.map(({ name, make }) => ({
      field: `JSON ${path}`,
      input: name,
      record: () =>
        fitting(
          text.replace(JSON.stringify(MARK), () => make(bytes)),
          maxBytes,
        ),
    })),
  );
  const whole = trees.map(({ name, make }) => ({
    field: 'JSON body',
    input: name,
    record: () => fitting(`{"messages":[],${make(bytes).slice(1)}`, maxBytes),
  }));
  return [...within, ...whole];
}

function fitting(text: string, maxBytes: number) {
  const value = Buffer.from(text);
  return value.length > maxBytes ? null : inbound(value);
}

/** The longest text of its kind whose JSON is not longer. */
function textOf(make: (bytes: number) => string, size: number): string {
  for (const share of [1, 2, 6]) {
    const text = JSON.stringify(make(Math.floor(size / share)));
    if (Buffer.byteLength(text) <= size + 2) return text;
  }
  return '""';
}

/** The body as text once for each place in it, with a mark there. Items of a list are one place. */
function placesIn(body: unknown): [path: string, text: string][] {
  const places: [string, string][] = [];
  const visit = (value: unknown, path: string, around: (inner: unknown) => unknown): void => {
    if (path !== '') places.push([path, JSON.stringify(around(MARK))]);
    if (Array.isArray(value)) {
      value.forEach((item, index) => {
        visit(item, `${path}[]`, (inner) => around(value.toSpliced(index, 1, inner)));
      });
    } else if (typeof value === 'object' && value !== null) {
      for (const [name, member] of Object.entries(value))
        visit(member, path === '' ? name : `${path}.${name}`, (inner) => around({ ...value, [name]: inner }));
      if (path !== '') places.push([`${path}.other`, JSON.stringify(around({ ...value, other: MARK }))]);
    }
  };
  visit(body, '', (inner) => inner);
  return places;
}
