import { describe, expect, it } from 'vitest';
import { SharedAnswer } from '../../../src/adapters/kafka/shared-answer.ts';

function askedFor() {
  const begun: PromiseWithResolvers<string>[] = [];
  const shared = new SharedAnswer(() => {
    const answer = Promise.withResolvers<string>();
    begun.push(answer);
    return answer.promise;
  });
  return { shared, begun };
}

describe('a shared answer', () => {
  it('is never that of a request which began before it was asked for', async () => {
    const { shared, begun } = askedFor();
    const first = shared.get();
    const [second, third] = [shared.get(), shared.get()];
    expect(begun).toHaveLength(1);
    begun[0]?.resolve('old');
    expect(await first).toBe('old');
    await expect.poll(() => begun.length).toBe(2);
    begun[1]?.resolve('new');
    expect(await Promise.all([second, third])).toEqual(['new', 'new']);
  });

  it('is asked for again after a request that failed, also by those who waited for that', async () => {
    const { shared, begun } = askedFor();
    const first = shared.get();
    const second = shared.get();
    begun[0]?.reject(new Error('no broker'));
    await expect(first).rejects.toThrow('no broker');
    await expect.poll(() => begun.length).toBe(2);
    begun[1]?.resolve('there');
    expect(await second).toBe('there');
  });
});
