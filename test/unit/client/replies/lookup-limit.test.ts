import { expect, test } from 'vitest';
import { LookupLimit } from '../../../../src/client/replies/lookup-limit.ts';

test('a lookup beyond the limit is skipped, and a place is free again once one ends in any way', async () => {
  const limit = new LookupLimit(2);
  const first = Promise.withResolvers<string>();
  const second = Promise.withResolvers<string>();
  const [one, two] = [limit.run(() => first.promise, 'skipped'), limit.run(() => second.promise, 'skipped')];
  let started = false;
  const third = () =>
    limit.run(async () => {
      started = true;
      return 'found';
    }, 'skipped');
  expect([await third(), started]).toEqual(['skipped', false]);
  first.reject(new Error('lost'));
  await expect(one).rejects.toThrow('lost');
  expect([await third(), started]).toEqual(['found', true]);
  second.resolve('found');
  expect(await two).toBe('found');
});
