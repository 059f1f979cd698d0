/** A member of the consumer group as the leader sees it when it assigns. */
export interface GroupMember {
  readonly id: string;
  readonly topics: readonly string[];
  /** Partitions that it owns now, as `topic/partition`. */
  readonly owned: ReadonlySet<string>;
  /** It is about to leave and takes no partitions. */
  readonly draining: boolean;
}

export interface TopicPartitions {
  readonly topic: string;
  readonly partitions: readonly number[];
}

/** One partition, and the members that may own it. */
interface Candidate {
  readonly name: string;
  readonly topic: string;
  readonly partition: number;
}

interface Share {
  readonly member: GroupMember;
  readonly candidates: Candidate[];
}

/**
 * Divides partitions among members with as few moves as possible. An owner keeps its partition unless it has at least two more
 * than another member. Draining members get none, unless all members are draining.
 *
 * @returns for each member its partitions by topic
 */
export function assignPartitions(
  members: readonly GroupMember[],
  topics: readonly TopicPartitions[],
): Map<string, Map<string, number[]>> {
  const staying = members.filter((member) => !member.draining);
  // Every leader sorts the same way, so that the same input gives the same division.
  const takers = [...(staying.length > 0 ? staying : members)].sort((one, other) =>
    one.id < other.id ? -1 : 1,
  );
  const shares: Share[] = takers.map((member) => ({ member, candidates: [] }));
  const candidates = topics.flatMap(({ topic, partitions }) =>
    partitions.map((partition) => ({ name: `${topic}/${partition}`, topic, partition })),
  );

  // 1 Owners keep their partitions for now. If two members claim a partition, the first one keeps it.
  const free = candidates.filter((candidate) => {
    const owner = shares.find(({ member }) => takes(member, candidate) && member.owned.has(candidate.name));
    owner?.candidates.push(candidate);
    return owner === undefined;
  });
  // 2 Each partition without an owner goes to the member with the fewest.
  for (const candidate of free) {
    const least = leastLoaded(shares.filter(({ member }) => takes(member, candidate)));
    least?.candidates.push(candidate);
  }
  // 3 Move single partitions from members with too many to members with too few, until no two differ by two.
  for (let move = nextMove(shares); move !== null; move = nextMove(shares)) {
    move.from.candidates.splice(move.index, 1);
    move.to.candidates.push(move.candidate);
  }

  return new Map(
    members.map((member) => [member.id, byTopic(shares.find((share) => share.member === member))]),
  );
}

function takes(member: GroupMember, { topic }: Candidate): boolean {
  return member.topics.includes(topic);
}

function leastLoaded(shares: readonly Share[]): Share | undefined {
  return shares.reduce<Share | undefined>(
    (least, share) =>
      least === undefined || share.candidates.length < least.candidates.length ? share : least,
    undefined,
  );
}

interface Move {
  readonly from: Share;
  readonly to: Share;
  readonly candidate: Candidate;
  readonly index: number;
}

/** The move that balances most; null if none does. Partitions received last move first: owned ones come before them. */
function nextMove(shares: readonly Share[]): Move | null {
  const fullestFirst = [...shares].sort((one, other) => other.candidates.length - one.candidates.length);
  for (const from of fullestFirst) {
    for (let index = from.candidates.length - 1; index >= 0; index -= 1) {
      const candidate = from.candidates[index] as Candidate;
      const to = leastLoaded(shares.filter((share) => share !== from && takes(share.member, candidate)));
      if (to !== undefined && from.candidates.length - to.candidates.length >= 2)
        return { from, to, candidate, index };
    }
  }
  return null;
}

function byTopic(share: Share | undefined): Map<string, number[]> {
  const assignment = new Map<string, number[]>();
  for (const { topic, partition } of share?.candidates ?? []) {
    const partitions = assignment.get(topic);
    if (partitions === undefined) assignment.set(topic, [partition]);
    else partitions.push(partition);
  }
  return assignment;
}
