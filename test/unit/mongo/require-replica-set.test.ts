import { describe, expect, it } from 'vitest';
import { requireReplicaSet } from '../../../src/adapters/mongo/client/database.ts';

describe('a server', () => {
  it('that is a member of a replica set or a router of a sharded cluster is accepted', () => {
    expect(() => requireReplicaSet({ setName: 'rs0' })).not.toThrow();
    expect(() => requireReplicaSet({ msg: 'isdbgrid' })).not.toThrow();
  });

  it('that is standalone is refused, with a remedy', () => {
    expect(() => requireReplicaSet({ isWritablePrimary: true })).toThrow(/--replSet.*rs\.initiate\(\)/);
  });
});
