import { describe, expect, test } from 'vitest';
import { type PendingAnswer, PendingAnswers } from '../../../../src/client/replies/pending-answers.ts';

const answer = (): PendingAnswer => ({
  takeChunk: () => undefined,
  takeResponse: () => undefined,
  fail: () => undefined,
});

describe('PendingAnswers', () => {
  test('counts every answer to one request id', () => {
    const pending = new PendingAnswers();
    const [one, two] = [answer(), answer()];
    pending.add('id', 'key', one);
    pending.add('id', 'key', two);
    expect(pending.size).toBe(2);
    expect(pending.of('id')).toEqual([one, two]);
    pending.remove('id', 'key', one);
    pending.remove('id', 'key', one);
    expect(pending.size).toBe(1);
    expect(pending.hasKey('key')).toBe(true);
    pending.remove('id', 'key', two);
    expect([pending.size, pending.hasKey('key'), pending.all()]).toEqual([0, false, []]);
  });
});
