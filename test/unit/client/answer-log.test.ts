import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AnswerLog, type LogCursor } from '../../../src/client/answer-log.ts';
import type { ChatChunk, ChatResponse } from '../../../src/contract/records.ts';

const chunk = (sequence: number, content: string, fields: Partial<ChatChunk> = {}) =>
  ({
    attempt: 1,
    sequence,
    choiceIndex: 0,
    content,
    finishReason: null,
    last: false,
    ...fields,
  }) as ChatChunk;

const response = (contents: (string | null)[], fields: Partial<ChatResponse> = {}) =>
  ({
    choices: contents.map((content, index) => ({ index, content })),
    acceptedAttempt: 1,
    omitted: [],
    ...fields,
  }) as unknown as ChatResponse;

/** All that a reader finds now. */
function readAll(log: AnswerLog, cursor: LogCursor = log.start()): string[] {
  const found: string[] = [];
  for (let entry = log.read(cursor); entry !== null; entry = log.read(cursor))
    found.push(entry.kind === 'text' ? `${entry.choice}:${entry.text}` : `restart ${entry.attempt}`);
  return found;
}

describe('text', () => {
  test('is each chunk once, whatever the broker repeats', () => {
    const log = new AnswerLog();
    for (const sequence of [0, 1, 0, 1, 2, 2, 1, 3]) log.add(chunk(sequence, String(sequence)));
    expect(log.textOf(0)).toBe('0123');
  });

  test('that came since is one piece for a slow reader, and single ones for a quick reader', () => {
    const log = new AnswerLog();
    const quick = log.start();
    const slow = log.start();
    const seen: string[] = [];
    for (const [index, word] of ['a', 'b', 'c'].entries()) {
      log.add(chunk(index, word));
      seen.push(...readAll(log, quick));
    }
    expect(seen).toEqual(['0:a', '0:b', '0:c']);
    expect(readAll(log, slow)).toEqual(['0:abc']);
    expect(readAll(log)).toEqual(['0:abc']);
  });

  test('of several choices stays apart, in the order of arrival', () => {
    const log = new AnswerLog();
    log.add(chunk(0, 'a'));
    log.add(chunk(1, 'A', { choiceIndex: 1 }));
    log.add(chunk(2, 'B', { choiceIndex: 1 }));
    log.add(chunk(3, 'b'));
    expect(readAll(log)).toEqual(['0:a', '1:AB', '0:b']);
    expect([log.textOf(0), log.textOf(1)]).toEqual(['ab', 'AB']);
  });

  test('is complete with the last chunk', () => {
    const log = new AnswerLog();
    log.add(chunk(0, 'a'));
    expect(log.isComplete).toBe(false);
    log.add(chunk(1, '', { finishReason: 'stop' }));
    expect(log.isComplete).toBe(false);
    log.add(chunk(2, '', { last: true }));
    expect(log.isComplete).toBe(true);
  });
});

test('the last chunk of an attempt that broke off completes nothing', () => {
  const log = new AnswerLog();
  log.add(chunk(0, 'a'));
  log.add(chunk(1, '', { last: true }));
  expect(log.isComplete).toBe(false);
});

describe('a later attempt', () => {
  test('makes the text void, which a reader that has seen some of it is told', () => {
    const log = new AnswerLog();
    const cursor = log.start();
    log.add(chunk(0, 'old'));
    expect(readAll(log, cursor)).toEqual(['0:old']);
    log.add(chunk(0, 'new', { attempt: 2 }));
    log.add(chunk(1, ' old', { attempt: 1 }));
    log.add(chunk(1, ' text', { attempt: 2 }));
    expect(readAll(log, cursor)).toEqual(['restart 2', '0:new text']);
    expect(readAll(log)).toEqual(['0:new text']);
    expect(log.textOf(0)).toBe('new text');
  });

  test('is no restart for a reader that has seen nothing', () => {
    const log = new AnswerLog();
    const cursor = log.start();
    log.add(chunk(0, 'old'));
    log.add(chunk(0, 'new', { attempt: 2 }));
    expect(readAll(log, cursor)).toEqual(['0:new']);
  });

  test('takes back that the text was complete', () => {
    const log = new AnswerLog();
    log.add(chunk(0, 'old', { finishReason: 'stop', last: true }));
    expect(log.isComplete).toBe(true);
    log.add(chunk(0, 'new', { attempt: 3 }));
    expect(log.isComplete).toBe(false);
  });
});

describe('the response', () => {
  test('brings the whole text when there were no chunks', () => {
    const log = new AnswerLog();
    log.complete(response(['one', 'two']));
    expect(readAll(log)).toEqual(['0:one', '1:two']);
    expect(log.isComplete).toBe(true);
  });

  test('makes up for chunks that are missing, and for those that come late', () => {
    const log = new AnswerLog();
    const cursor = log.start();
    log.add(chunk(0, 'one '));
    log.add(chunk(2, 'three '));
    log.add(chunk(3, 'four'));
    expect(readAll(log, cursor)).toEqual(['0:one ']);
    log.complete(response(['one two three four']));
    expect(readAll(log, cursor)).toEqual(['0:two three four']);
    log.add(chunk(1, 'two '));
    log.add(chunk(0, 'x', { attempt: 9 }));
    expect(readAll(log, cursor)).toEqual([]);
  });

  test('of an attempt whose chunks never came makes the text void', () => {
    const log = new AnswerLog();
    const cursor = log.start();
    log.add(chunk(0, 'old'));
    readAll(log, cursor);
    log.complete(response(['new'], { acceptedAttempt: 2 }));
    expect(readAll(log, cursor)).toEqual(['restart 2', '0:new']);
  });

  test('with another text than the chunks is right', () => {
    const log = new AnswerLog();
    const cursor = log.start();
    log.add(chunk(0, 'something'));
    readAll(log, cursor);
    log.complete(response(['other']));
    expect(readAll(log, cursor)).toEqual(['restart 1', '0:other']);
  });

  test('that is too large for its text leaves the text of the chunks', () => {
    const log = new AnswerLog();
    log.add(chunk(0, 'long text'));
    log.complete(response([null], { omitted: ['content'] }));
    expect(log.textOf(0)).toBe('long text');
    expect(readAll(log)).toEqual(['0:long text']);
  });
});

test('whatever arrives how often and is read when, every reader ends with the response’s text', () => {
  const pieces = fc.array(fc.string({ minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 8 });
  const delivery = fc.array(
    fc.record({ attempt: fc.integer({ min: 1, max: 2 }), upTo: fc.nat(8), read: fc.boolean() }),
    {
      maxLength: 12,
    },
  );
  fc.assert(
    fc.property(pieces, pieces, delivery, (first, second, deliveries) => {
      const log = new AnswerLog();
      const cursor = log.start();
      let seen = '';
      const read = () => {
        for (let entry = log.read(cursor); entry !== null; entry = log.read(cursor))
          seen = entry.kind === 'restart' ? '' : seen + entry.text;
      };
      for (const { attempt, upTo, read: isRead } of deliveries) {
        const texts = attempt === 1 ? first : second;
        for (const [sequence, content] of texts.slice(0, upTo).entries())
          log.add(chunk(sequence, content, { attempt }));
        if (isRead) read();
      }
      log.complete(response([second.join('')], { acceptedAttempt: 2 }));
      read();
      expect(seen).toBe(second.join(''));
    }),
  );
});
