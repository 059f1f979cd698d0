import { calls } from './calls.ts';
import { chunks } from './chunks.ts';
import { deadLetters } from './dead-letters.ts';
import type { Evidence } from './evidence.ts';
import { orderPerKey } from './order.ts';
import { outcomes } from './outcomes.ts';
import { positions } from './positions.ts';
import { exactSums } from './sums.ts';

/** Compares the visible outputs with the published records and the provider's calls. @returns a description of every breach */
export function checkEvidence(evidence: Evidence): string[] {
  return [
    ...outcomes(evidence),
    ...orderPerKey(evidence),
    ...calls(evidence),
    ...exactSums(evidence),
    ...chunks(evidence),
    ...deadLetters(evidence),
    ...positions(evidence),
  ];
}
