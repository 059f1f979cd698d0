import kafkajs, { type Assigner, type Cluster, type PartitionAssigner } from 'kafkajs';
import { assignPartitions, type GroupMember } from '../../../domain/offsets/assign-partitions.ts';

/** What a member sends to the leader when it joins. */
export interface Membership {
  /** Its current partitions, as `topic/partition`. */
  owned: ReadonlySet<string>;
  draining: boolean;
}

const NAME = 'completion-bus-sticky';
const VERSION = 1;
const { MemberMetadata, MemberAssignment } = kafkajs.AssignerProtocol;

/** Makes the leader load the metadata of topics that it does not read. Missing from kafkajs's types. */
type ClusterOfLeader = Cluster & { addMultipleTargetTopics(topics: readonly string[]): Promise<void> };

/**
 * A partition assigner that moves as few partitions as possible and assigns none to a draining member. Each member's current
 * partitions are part of its join request. The leader decides (see `assignPartitions`).
 *
 * @param membership read at every join
 */
export function stickyAssigner(membership: Membership): PartitionAssigner {
  return ({ cluster }: { cluster: Cluster }): Assigner => ({
    name: NAME,
    version: VERSION,
    async assign({ members }) {
      const decoded = members.map(({ memberId, memberMetadata }) => decodeMember(memberId, memberMetadata));
      // Members may read different topics while a configuration change is rolled out.
      const topics = [...new Set(decoded.flatMap((member) => member.topics))];
      await (cluster as ClusterOfLeader).addMultipleTargetTopics(topics);
      const partitioned = topics.map((topic) => ({
        topic,
        partitions: cluster.findTopicPartitionMetadata(topic).map(({ partitionId }) => partitionId),
      }));
      const assignment = assignPartitions(decoded, partitioned);
      return decoded.map(({ id }) => ({
        memberId: id,
        memberAssignment: MemberAssignment.encode({
          version: VERSION,
          assignment: Object.fromEntries(assignment.get(id) ?? []),
          userData: Buffer.alloc(0),
        }),
      }));
    },
    protocol({ topics }) {
      const userData = Buffer.from(
        JSON.stringify({ owned: [...membership.owned], draining: membership.draining }),
      );
      return { name: NAME, metadata: MemberMetadata.encode({ version: VERSION, topics, userData }) };
    },
  });
}

function decodeMember(id: string, metadata: Buffer): GroupMember {
  const { topics, userData } = decodeMetadata(metadata);
  const { owned, draining } = readUserData(userData);
  return { id, topics, owned: new Set(owned), draining };
}

/** A member that does not name its topics gets nothing. The others must not fail because of it. */
function decodeMetadata(metadata: Buffer): { topics: readonly string[]; userData: Buffer | undefined } {
  try {
    const { topics = [], userData } = MemberMetadata.decode(metadata) ?? {};
    return { topics: topics.filter((topic) => typeof topic === 'string'), userData };
  } catch {
    return { topics: [], userData: undefined };
  }
}

/** A member whose data cannot be read counts as one without partitions. The assignment is then only less sticky. */
function readUserData(userData: Buffer | undefined): { owned: string[]; draining: boolean } {
  try {
    const { owned, draining } = JSON.parse(userData?.toString() ?? '') as Record<string, unknown>;
    return {
      owned: Array.isArray(owned) ? owned.filter((place) => typeof place === 'string') : [],
      draining: draining === true,
    };
  } catch {
    return { owned: [], draining: false };
  }
}
