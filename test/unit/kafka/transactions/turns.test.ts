import { describe, expect, it } from 'vitest';
import { Turns } from '../../../../src/adapters/kafka/transactions/turns.ts';

describe('Turns', () => {
  it('admits so many at a time and the others in order of arrival, and reports to them that they waited', async () => {
    const turns = new Turns(2);
    const begun: string[] = [];
    const ends = new Map<string, () => void>();
    const take = (name: string) =>
      turns.take(async (hasWaited) => {
        begun.push(`${name} ${hasWaited}`);
        await new Promise<void>((resolve) => ends.set(name, resolve));
        return name;
      });
    const all = ['a', 'b', 'c', 'd'].map(take);
    expect(begun).toEqual(['a false', 'b false']);
    ends.get('b')?.();
    expect(await all[1]).toBe('b');
    await Promise.resolve();
    expect(begun).toEqual(['a false', 'b false', 'c true']);
    ends.get('a')?.();
    ends.get('c')?.();
    await Promise.all([all[0], all[2]]);
    await Promise.resolve();
    ends.get('d')?.();
    expect(await Promise.all(all)).toEqual(['a', 'b', 'c', 'd']);
  });

  it('continues after one that failed', async () => {
    const turns = new Turns(1);
    const failed = turns.take(async () => {
      throw new Error('no');
    });
    const next = turns.take(async () => 'yes');
    await expect(failed).rejects.toThrow('no');
    expect(await next).toBe('yes');
  });
});
