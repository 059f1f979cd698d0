import { describe, expect, it } from 'vitest';
import { SharedAnswer } from '../../../../src/adapters/kafka/topics/shared-answer.ts';

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
  it('never comes from a request that began before the question', async () => {
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

  it('is requested again after a failed request, also for callers that waited for the failed one', async () => {
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
