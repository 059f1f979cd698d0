import { describe, expect, it } from 'vitest';
import { claimOf, freshRow } from '../../../../src/adapters/mongo/ledger/request-row.ts';
import { again, claimRequest } from '../../../contract/ledger-contract.ts';

describe('the reading of a claim', () => {
  it('fails for a free row and names the row', () => {
    const first = claimRequest({ identity: { tenantId: 'acme', requestId: 'r-1' } });
    const free = { ...freshRow(first, 1_000), claim: null };
    expect(() => claimOf(free, again(first))).toThrow("'acme r-1'");
  });
});
