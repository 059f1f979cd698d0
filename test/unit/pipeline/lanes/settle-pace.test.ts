import { describe, expect, it } from 'vitest';
import { SettlePace } from '../../../../src/pipeline/lanes/settle-pace.ts';
import { turn } from '../../../support/fakes/turn.ts';

const open = new AbortController().signal;
const ended = Promise.resolve();

/** A pace whose previous transactions have ended. */
async function paceAfter(spacingMs: number, requests: number, left: number): Promise<SettlePace> {
  const pace = new SettlePace(spacingMs);
  pace.began(1_000, requests, left, ended);
  await turn();
  return pace;
}

/** Whether it still waits after all pending work. */
async function stillWaits(waiting: Promise<boolean>): Promise<boolean> {
  return (await Promise.race([waiting, turn()])) === undefined;
}

describe('the pace of transactions', () => {
  it('lets the first one begin at once', async () => {
    expect(await new SettlePace(60_000).gather(0, open)).toBe(false);
  });

  it('lets the one after a lone outcome begin at once', async () => {
    expect(await (await paceAfter(60_000, 1, 0)).gather(1_001, open)).toBe(false);
  });

  it('spaces the starts of a busy lane’s transactions', async () => {
    const pace = await paceAfter(5, 20, 0);
    expect(await pace.gather(1_001, open)).toBe(true);
    expect(await pace.gather(1_005, open)).toBe(false);
  });

  it('does not wait when the transaction itself took that long', async () => {
    expect(await (await paceAfter(100, 20, 0)).gather(1_100, open)).toBe(false);
  });

  it('does not delay finished outcomes that did not fit', async () => {
    expect(await (await paceAfter(60_000, 20, 3)).gather(1_001, open)).toBe(false);
  });

  it('stops waiting when the lane closes', async () => {
    const stopping = new AbortController();
    const waiting = (await paceAfter(60_000, 20, 0)).gather(1_001, stopping.signal);
    stopping.abort();
    expect(await waiting).toBe(true);
  });

  it('gathers while one is in flight, even for a lone outcome, and checks again when it has ended', async () => {
    const pace = new SettlePace(60_000);
    const first = Promise.withResolvers<void>();
    pace.began(1_000, 1, 0, first.promise);
    const waiting = pace.gather(1_001, open);
    expect(await stillWaits(waiting)).toBe(true);
    first.resolve();
    expect(await waiting).toBe(true);
    expect(await pace.gather(1_002, open)).toBe(false);
  });

  it('hands over a second one after a slow one, but no third', async () => {
    const pace = new SettlePace(100);
    const first = Promise.withResolvers<void>();
    pace.began(1_000, 20, 0, first.promise);
    expect(await pace.gather(1_100, open)).toBe(false);
    pace.began(1_100, 20, 0, new Promise(() => undefined));
    const waiting = pace.gather(9_000, open);
    expect(await stillWaits(waiting)).toBe(true);
    first.resolve();
    expect(await waiting).toBe(true);
    expect(await pace.gather(9_001, open)).toBe(false);
  });
});
