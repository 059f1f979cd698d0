import { expect, it } from 'vitest';
import { randomAnswer } from '../../hostile/generate/random-answer.ts';
import { randomRecord } from '../../hostile/generate/random-record.ts';
import { asInbound } from '../../hostile/wire/raw-record.ts';

const places = Array.from({ length: 500 }, (_, index) => index);

it('generates the same record from the same seed and position, and a different one from another position', () => {
  expect(places.map((index) => randomRecord(1, index))).toEqual(
    places.map((index) => randomRecord(1, index)),
  );
  const values = new Set(places.map((index) => randomRecord(1, index).value?.toString('base64')));
  expect(values.size).toBeGreaterThan(400);
  expect(randomRecord(2, 7)).not.toEqual(randomRecord(1, 7));
});

it('generates the same answer from the same seed and position', () => {
  const answers = () => places.map((index) => randomAnswer(1, index, index % 2 === 0));
  expect(answers()).toEqual(answers());
});

it('keeps headers of every name, and the values of one name together', () => {
  const record = {
    key: null,
    value: null,
    headers: [
      ['__proto__', 'a'],
      ['toString', 'b'],
      ['__proto__', null],
    ] as const,
  };
  const { headers } = asInbound(record, { topic: 'requests', partition: 0, offset: 0, timestamp: 0 });
  expect(Object.entries(headers)).toEqual([
    ['__proto__', [Buffer.from('a'), null]],
    ['toString', Buffer.from('b')],
  ]);
});
