import { describe, expect, it } from 'vitest';
import { describeCost } from '../../../src/cli/chat/chat-notes.ts';
import { sampleCost } from '../../contract/sample-records.ts';

describe('describeCost', () => {
  it('shows the total with its tokens, and each line with its calculation', () => {
    expect(describeCost(sampleCost)).toBe(
      [
        'cost 0.006 USD (100 tokens in, 50 out)',
        '  input: 100 tokens x 30 / 1000000 = 0.003',
        '  output: -50 tokens x 60 / 1000000 = -0.003',
        '',
      ].join('\n'),
    );
  });

  it('shows an unknown price as unknown, not as zero', () => {
    const unpriced = { ...sampleCost, costStatus: 'UNPRICED' as const, totalCost: null, currency: null };
    expect(describeCost({ ...unpriced, lines: [] })).toBe(
      'cost UNPRICED: no price is known (100 tokens in, 50 out)\n',
    );
  });
});
