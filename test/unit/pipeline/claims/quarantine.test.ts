import { describe, expect, it } from 'vitest';
import { ClaimLost } from '../../../../src/pipeline/claims/own-claim.ts';
import {
  enterQuarantine,
  Quarantine,
  reenterQuarantine,
} from '../../../../src/pipeline/claims/quarantine.ts';
import { turn } from '../../../support/fakes/turn.ts';

const never = new AbortController().signal;
/** A permit that is free at once, or after `free` is called. */
class Permits {
  held = 0;
  waiting = 0;
  private freed: PromiseWithResolvers<void> | null;

  constructor(isFree: boolean) {
    this.freed = isFree ? null : Promise.withResolvers();
  }

  free(): void {
    this.freed?.resolve();
    this.freed = null;
  }

  readonly take = async (beforeWait: () => void): Promise<string> => {
    if (this.freed !== null) {
      beforeWait();
      this.waiting += 1;
      await this.freed.promise;
      this.waiting -= 1;
    }
    this.held += 1;
    return 'permit';
  };

  readonly release = (): void => {
    this.held -= 1;
  };

  readonly wait = (work: (signal: AbortSignal) => Promise<void>): Promise<void> => work(never);
}

describe('a place in quarantine', () => {
  it('is held by one at a time, in the order of arrival', async () => {
    const quarantine = new Quarantine();
    const stays = [1, 2, 3].map(() => quarantine.open());
    const entered: number[] = [];
    const entering = stays.map((stay, index) => stay.enter(never).then(() => entered.push(index)));
    await turn();
    expect(entered).toEqual([0]);
    expect(quarantine.open().tryEnter()).toBe(false);
    stays[0]?.leave();
    stays[0]?.leave();
    await turn();
    expect(entered).toEqual([0, 1]);
    stays[1]?.leave();
    await Promise.all(entering);
    stays[2]?.leave();
    expect(quarantine.open().tryEnter()).toBe(true);
  });

  it('is not granted to a request that has given up, even at the moment of its turn', async () => {
    const quarantine = new Quarantine();
    const [first, second, third] = [quarantine.open(), quarantine.open(), quarantine.open()];
    await first.enter(never);
    const impatient = new AbortController();
    const waiting = second.enter(impatient.signal);
    const later = third.enter(never);
    impatient.abort(new Error('enough'));
    first.leave();
    await expect(waiting).rejects.toThrow('enough');
    await later;
    expect([second.isInside, third.isInside]).toEqual([false, true]);
  });
});

describe('a suspect that enters', () => {
  it('holds neither its place nor its permit while it waits for the other', async () => {
    const quarantine = new Quarantine();
    const [stay, other] = [quarantine.open(), quarantine.open()];
    const permits = new Permits(false);
    const entering = enterQuarantine(stay, permits);
    await turn();
    expect(permits.waiting).toBe(1);
    expect(other.tryEnter()).toBe(true);
    permits.free();
    await turn();
    // Its permit came while another suspect held the place.
    expect(permits.held).toBe(0);
    other.leave();
    expect(await entering).toBe('permit');
    expect([stay.isInside, permits.held]).toEqual([true, 1]);
  });

  it('stays outside when it cannot get what its call needs', async () => {
    const stay = new Quarantine().open();
    const permits = new Permits(true);
    const take = async () => {
      throw new Error('no permit');
    };
    await expect(enterQuarantine(stay, { ...permits, take })).rejects.toThrow('no permit');
    expect(stay.isInside).toBe(false);
  });
});

describe('a further call from quarantine', () => {
  function bench(marks: boolean[], isOwned = () => true) {
    const claim = {
      setQuarantined: async (isQuarantined: boolean) => {
        marks.push(isQuarantined);
        if (!isOwned()) throw new ClaimLost();
      },
    };
    const quarantine = new Quarantine();
    const stay = quarantine.open();
    stay.tryEnter();
    return { claim, quarantine, stay };
  }

  it('keeps its place while its permit is free', async () => {
    const marks: boolean[] = [];
    const { claim, stay } = bench(marks);
    await reenterQuarantine(stay, new Permits(true), claim);
    expect([stay.isInside, marks]).toEqual([true, []]);
  });

  it('leaves its place after the ledger has recorded it, and returns before its call', async () => {
    const marks: boolean[] = [];
    const { claim, quarantine, stay } = bench(marks);
    const permits = new Permits(false);
    const entering = reenterQuarantine(stay, permits, claim);
    expect([stay.isInside, marks]).toEqual([true, [false]]);
    await turn();
    const other = quarantine.open();
    expect(other.tryEnter()).toBe(true);
    permits.free();
    await turn();
    expect([permits.held, marks]).toEqual([0, [false]]);
    other.leave();
    await entering;
    expect([stay.isInside, permits.held, marks]).toEqual([true, 1, [false, true]]);
  });

  it('is not made when the claim was lost, and keeps no permit', async () => {
    const { claim, stay } = bench([], () => false);
    const permits = new Permits(false);
    const entering = reenterQuarantine(stay, permits, claim);
    permits.free();
    await expect(entering).rejects.toBeInstanceOf(ClaimLost);
    expect(permits.held).toBe(0);
  });
});
