import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AnswerLog, type LogCursor } from '../../../../src/client/answer/answer-log.ts';
import type { ChatChunk, ChatResponse } from '../../../../src/contract/record-types.ts';

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

/** Everything that a reader can read now. */
function readAll(log: AnswerLog, cursor: LogCursor = log.start()): string[] {
  const found: string[] = [];
  for (let entry = log.read(cursor); entry !== null; entry = log.read(cursor))
    found.push(entry.kind === 'text' ? `${entry.choice}:${entry.text}` : `restart ${entry.attempt}`);
  return found;
}

describe('text', () => {
  test('has each chunk once, even if the broker repeats it', () => {
    const log = new AnswerLog();
    for (const sequence of [0, 1, 0, 1, 2, 2, 1, 3]) log.add(chunk(sequence, String(sequence)));
    expect(log.textOf(0)).toBe('0123');
  });

  test('that has arrived is one piece for a slow reader, and single pieces for a fast reader', () => {
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

  test('of several choices stays separate, in order of arrival', () => {
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

test('the last chunk of a broken attempt does not complete the text', () => {
  const log = new AnswerLog();
  log.add(chunk(0, 'a'));
  log.add(chunk(1, '', { last: true }));
  expect(log.isComplete).toBe(false);
});

describe('a later attempt', () => {
  test('discards the text, and reports that to a reader that has seen some of it', () => {
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

  test('makes a complete text incomplete again', () => {
    const log = new AnswerLog();
    log.add(chunk(0, 'old', { finishReason: 'stop', last: true }));
    expect(log.isComplete).toBe(true);
    log.add(chunk(0, 'new', { attempt: 3 }));
    expect(log.isComplete).toBe(false);
  });
});

describe('the response', () => {
  test('provides the complete text when there were no chunks', () => {
    const log = new AnswerLog();
    log.complete(response(['one', 'two']));
    expect(readAll(log)).toEqual(['0:one', '1:two']);
    expect(log.isComplete).toBe(true);
  });

  test('replaces missing chunks, and late ones', () => {
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

  test('of an attempt whose chunks never came discards the text', () => {
    const log = new AnswerLog();
    const cursor = log.start();
    log.add(chunk(0, 'old'));
    readAll(log, cursor);
    log.complete(response(['new'], { acceptedAttempt: 2 }));
    expect(readAll(log, cursor)).toEqual(['restart 2', '0:new']);
  });

  test('takes precedence over a different text of the chunks', () => {
    const log = new AnswerLog();
    const cursor = log.start();
    log.add(chunk(0, 'something'));
    readAll(log, cursor);
    log.complete(response(['other']));
    expect(readAll(log, cursor)).toEqual(['restart 1', '0:other']);
  });

  test('without its text, which was too large, keeps the text of the chunks', () => {
    const log = new AnswerLog();
    log.add(chunk(0, 'long text'));
    log.complete(response([null], { omitted: ['content'] }));
    expect(log.textOf(0)).toBe('long text');
    expect(readAll(log)).toEqual(['0:long text']);
  });
});

test('every reader ends with the response’s text, for any arrivals, repetitions and reads', () => {
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
