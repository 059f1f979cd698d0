import { createParser } from 'eventsource-parser';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SseReader } from '../../../../src/adapters/openai/stream/sse-reader.ts';

function read(text: string, pieceLength = Number.MAX_SAFE_INTEGER): string[] {
  const bytes = Buffer.from(text);
  const reader = new SseReader();
  const payloads: string[] = [];
  for (let start = 0; start < bytes.length; start += pieceLength) {
    payloads.push(...reader.push(bytes.subarray(start, start + pieceLength)));
  }
  const last = reader.end();
  return last === null ? payloads : [...payloads, last];
}

/** The result of another parser for one text: it does not read bytes or return an event without its blank line. */
function readByOracle(text: string): string[] {
  const payloads: string[] = [];
  const parser = createParser({ onEvent: ({ data }) => payloads.push(data) });
  parser.feed(text);
  return payloads;
}

describe('SseReader', () => {
  it('returns the data of each event of one read', () => {
    const reader = new SseReader();
    expect(reader.push(Buffer.from('data: one\n\ndata: two\n\ndata: th'))).toEqual(['one', 'two']);
    expect(reader.push(Buffer.from('ree\n'))).toEqual([]);
    expect(reader.push(Buffer.from('\n'))).toEqual(['three']);
    expect(reader.end()).toBeNull();
  });

  it.each([
    ['LF', '\n'],
    ['CRLF', '\r\n'],
    ['CR', '\r'],
  ])('reads lines that end in %s, even one byte at a time', (_, newline) => {
    const text = ['data: one', '', ': comment', 'event: x', 'data: two', 'data: lines', '', ''].join(newline);
    expect(read(text)).toEqual(['one', 'two\nlines']);
    expect(read(text, 1)).toEqual(['one', 'two\nlines']);
  });

  it('skips comments, other fields and fields that only begin with data', () => {
    expect(read(': hi\n\nid: 1\nretry: 5\ndatabase: no\nevent: message\n\ndata: yes\n\n')).toEqual(['yes']);
  });

  it('removes exactly one space after the colon, and accepts data without a value', () => {
    expect(read('data:a\n\ndata:  b\n\ndata\ndata: c\n\n')).toEqual(['a', ' b', '\nc']);
  });

  it('returns a last event without its blank line, and skips a byte order mark', () => {
    expect(read('\uFEFFdata: one\n\ndata: two\n')).toEqual(['one', 'two']);
    expect(read('data: one\n\ndata: tw')).toEqual(['one', 'tw']);
  });

  it('accepts characters whose bytes are cut anywhere', () => {
    expect(read('data: Grüße 東京 🗼\n\n', 1)).toEqual(['Grüße 東京 🗼']);
  });

  it('returns the same events for any text in any pieces', () => {
    const line = fc.constantFrom('data: é', 'data:🗼', '', ': c', 'event: e', 'data', 'x');
    const stream = fc.array(fc.tuple(line, fc.constantFrom('\n', '\r\n', '\r')), { maxLength: 12 });
    fc.assert(
      fc.property(stream, fc.integer({ min: 1, max: 7 }), (lines, pieceLength) => {
        const text = lines.flat().join('');
        expect(read(text, pieceLength)).toEqual(read(text));
      }),
    );
  });

  it('agrees with eventsource-parser on any stream in any pieces', () => {
    const name = fc.constantFrom('data', 'event', 'id', 'retry', '', 'datas', ' data', 'Data');
    const separator = fc.constantFrom(':', ': ', ':  ', '');
    const value = fc.oneof(
      fc.string({ unit: fc.constantFrom('a', ' ', ':', '"', 'é', '東', '🗼', '\t', '\uFEFF'), maxLength: 6 }),
      fc.json({ maxDepth: 1 }),
    );
    const line = fc.tuple(name, separator, value).map((parts) => parts.join(''));
    const end = fc.constantFrom('\n', '\r\n', '\r', '\n\n', '\r\n\r\n', '\r\r');
    const lines = fc.array(fc.tuple(line, end), { maxLength: 15 });
    fc.assert(
      fc.property(lines, fc.boolean(), fc.integer({ min: 1, max: 9 }), (all, hasMark, pieceLength) => {
        const text = `${hasMark ? '\uFEFF' : ''}${all.flat().join('')}\n\n`;
        expect(read(text, pieceLength)).toEqual(readByOracle(text));
      }),
      { numRuns: 1_000 },
    );
  });

  it('takes linear time for a long line in small pieces', () => {
    const timeFor = (length: number): number => {
      const text = `data: ${'x'.repeat(length)}\n\n`;
      const start = performance.now();
      expect(read(text, 16)[0]).toHaveLength(length);
      return performance.now() - start;
    };
    timeFor(20_000);
    // Quadratic time would be 256 times as long; noise is far less.
    expect(timeFor(1_600_000)).toBeLessThan(Math.max(2_000, 64 * timeFor(100_000)));
  });
});
