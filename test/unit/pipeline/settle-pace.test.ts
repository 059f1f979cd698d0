import { describe, expect, it } from 'vitest';
import { SettlePace } from '../../../src/pipeline/settle-pace.ts';

const open = new AbortController().signal;

describe('the pace of transactions', () => {
  it('lets the first one begin at once', async () => {
    expect(await new SettlePace(60_000).gather(0, open)).toBe(false);
  });

  it('lets the one after a lone outcome begin at once', async () => {
    const pace = new SettlePace(60_000);
    pace.began(1_000, 1, 0);
    expect(await pace.gather(1_001, open)).toBe(false);
  });

  it('spaces those of a busy lane from beginning to beginning, and waits once', async () => {
    const pace = new SettlePace(5);
    pace.began(1_000, 20, 0);
    expect(await pace.gather(1_001, open)).toBe(true);
    expect(await pace.gather(1_001, open)).toBe(false);
  });

  it('does not wait when the transaction itself took as long', async () => {
    const pace = new SettlePace(100);
    pace.began(1_000, 20, 0);
    expect(await pace.gather(1_100, open)).toBe(false);
  });

  it('does not wait for what is finished and did not fit in', async () => {
    const pace = new SettlePace(60_000);
    pace.began(1_000, 20, 3);
    expect(await pace.gather(1_001, open)).toBe(false);
  });

  it('stops waiting when the lane closes', async () => {
    const stopping = new AbortController();
    const pace = new SettlePace(60_000);
    pace.began(1_000, 20, 0);
    const waiting = pace.gather(1_001, stopping.signal);
    stopping.abort();
    expect(await waiting).toBe(true);
  });
});
