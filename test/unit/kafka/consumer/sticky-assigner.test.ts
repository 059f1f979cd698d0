import kafkajs, { type Cluster } from 'kafkajs';
import { describe, expect, it } from 'vitest';
import { type Membership, stickyAssigner } from '../../../../src/adapters/kafka/consumer/sticky-assigner.ts';

const { MemberAssignment, MemberMetadata } = kafkajs.AssignerProtocol;

/** The cluster metadata of the leader's client: it has a topic only after that topic was added. */
class FakeCluster {
  readonly targets = new Set<string>();
  private readonly partitions: Readonly<Record<string, number>>;

  constructor(partitions: Readonly<Record<string, number>>) {
    this.partitions = partitions;
  }

  async addMultipleTargetTopics(topics: readonly string[]): Promise<void> {
    for (const topic of topics) this.targets.add(topic);
  }

  findTopicPartitionMetadata(topic: string): { partitionId: number }[] {
    const count = this.targets.has(topic) ? (this.partitions[topic] ?? 0) : 0;
    return Array.from({ length: count }, (_, partitionId) => ({ partitionId }));
  }
}

function assignerOf(membership: Membership, partitions: Readonly<Record<string, number>> = { t: 6 }) {
  const cluster = new FakeCluster(partitions) as unknown as Cluster;
  const options = { cluster, groupId: 'group-1', logger: undefined as never };
  return stickyAssigner(membership)(options);
}

const newcomer: Membership = { owned: new Set(), draining: false };
const owning = (...partitions: number[]): Membership => ({
  owned: new Set(partitions.map((partition) => `t/${partition}`)),
  draining: false,
});

/** A member as the coordinator reports it to the leader. */
function joined(memberId: string, membership: Membership, topics = ['t']) {
  const { metadata } = assignerOf(membership).protocol({ topics });
  return { memberId, memberMetadata: metadata };
}

function joinedWith(memberId: string, userData: Buffer) {
  return { memberId, memberMetadata: MemberMetadata.encode({ version: 1, topics: ['t'], userData }) };
}

async function divide(
  members: { memberId: string; memberMetadata: Buffer }[],
  partitions?: Readonly<Record<string, number>>,
): Promise<Record<string, Record<string, number[]>>> {
  const assignment = await assignerOf(newcomer, partitions).assign({ members, topics: ['t'] });
  return Object.fromEntries(
    assignment.map(({ memberId, memberAssignment }) => [
      memberId,
      MemberAssignment.decode(memberAssignment)?.assignment ?? {},
    ]),
  );
}

describe('stickyAssigner', () => {
  it('reports to the group in each join what the member owns at that time', () => {
    const membership = { owned: new Set(['t/1']), draining: false };
    const assigner = assignerOf(membership);
    const reported = () => {
      const { name, metadata } = assigner.protocol({ topics: ['t'] });
      expect(name).toBe(assigner.name);
      const decoded = MemberMetadata.decode(metadata);
      expect(decoded?.topics).toEqual(['t']);
      return JSON.parse(String(decoded?.userData)) as unknown;
    };
    expect(reported()).toEqual({ owned: ['t/1'], draining: false });
    membership.owned = new Set(['t/1', 't/4']);
    membership.draining = true;
    expect(reported()).toEqual({ owned: ['t/1', 't/4'], draining: true });
  });

  it('leaves each member its partitions, and moves only its share to a new one', async () => {
    const division = await divide([
      joined('a', owning(0, 2, 4)),
      joined('b', owning(1, 3, 5)),
      joined('c', newcomer),
    ]);
    expect(division['a']?.['t']).toEqual([0, 2]);
    expect(division['b']?.['t']).toEqual([1, 3]);
    expect(division['c']?.['t']?.toSorted()).toEqual([4, 5]);
  });

  it('gives a draining member nothing', async () => {
    const division = await divide([
      joined('a', { ...owning(0, 1, 2), draining: true }),
      joined('b', owning(3, 4, 5)),
    ]);
    expect(division['a']).toEqual({});
    expect(division['b']?.['t']?.toSorted()).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['invalid JSON', Buffer.from([0xff, 0x00])],
    ['a non-object', Buffer.from('null')],
    ['an object of another version', Buffer.from('{"generation":7}')],
    ['numbers for a list', Buffer.from('{"owned":7,"draining":"yes"}')],
    ['objects for places', Buffer.from('{"owned":[{},null,["t/1"]],"draining":0}')],
  ])('treats a member that reports %s about itself as a new one that stays', async (_what, userData) => {
    const division = await divide([joined('a', owning(0, 1, 2, 3)), joinedWith('b', userData)]);
    expect(division['a']?.['t']).toEqual([0, 1, 2]);
    expect(division['b']?.['t']?.toSorted()).toEqual([3, 4, 5]);
  });

  it('gives nothing to a member with unreadable metadata, and the others their shares', async () => {
    const division = await divide([
      joined('a', owning(0, 1, 2, 3)),
      { memberId: 'b', memberMetadata: Buffer.from([0, 1, 0, 0]) },
    ]);
    expect(division).toEqual({ a: { t: [0, 1, 2, 3, 4, 5] }, b: {} });
  });

  it('gives a member only what it subscribes to, including topics that the leader does not read', async () => {
    const division = await divide([joined('a', newcomer, ['t']), joined('b', newcomer, ['u'])], {
      t: 2,
      u: 3,
    });
    expect(division).toEqual({ a: { t: [0, 1] }, b: { u: [0, 1, 2] } });
  });
});
