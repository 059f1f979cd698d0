import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  assignPartitions,
  type GroupMember,
  type TopicPartitions,
} from '../../../../src/domain/offsets/assign-partitions.ts';

type Division = ReturnType<typeof assignPartitions>;

function member(id: string, members: Partial<GroupMember> = {}): GroupMember {
  return { id, topics: ['t'], owned: new Set(), draining: false, ...members };
}

function topic(count: number, name = 't'): TopicPartitions {
  return { topic: name, partitions: Array.from({ length: count }, (_, partition) => partition) };
}

function namesOf(division: Division, id: string): string[] {
  return [...(division.get(id) ?? [])].flatMap(([name, partitions]) =>
    partitions.map((each) => `${name}/${each}`),
  );
}

/** The members as they are after an assignment. */
function after(division: Division, members: readonly GroupMember[]): GroupMember[] {
  return members.map((each) => ({ ...each, owned: new Set(namesOf(division, each.id)) }));
}

const ids = ['a', 'b', 'c', 'd', 'e'];
const topics = [topic(7, 't'), topic(3, 'u')];
const owned = fc.subarray(
  topics.flatMap((each) => each.partitions.map((partition) => `${each.topic}/${partition}`)),
);

const groups = fc.subarray(ids, { minLength: 1 }).chain((present) =>
  fc.tuple(
    ...present.map((id) =>
      fc.record({
        id: fc.constant(id),
        topics: fc.subarray(['t', 'u'], { minLength: 1 }),
        owned: owned.map((names) => new Set(names)),
        draining: fc.boolean(),
      }),
    ),
  ),
);

describe('assignPartitions', () => {
  it('divides unowned partitions evenly', () => {
    const division = assignPartitions([member('b'), member('a')], [topic(5)]);
    expect(namesOf(division, 'a')).toHaveLength(3);
    expect(namesOf(division, 'b')).toHaveLength(2);
  });

  it('moves only the share of a new member', () => {
    const all = new Set(topic(6).partitions.map((partition) => `t/${partition}`));
    const division = assignPartitions([member('a', { owned: all }), member('b')], [topic(6)]);
    expect(namesOf(division, 'a')).toEqual(['t/0', 't/1', 't/2']);
    expect(namesOf(division, 'b')).toHaveLength(3);
  });

  it('moves nothing when the counts are as even as possible', () => {
    const members = [
      member('a', { owned: new Set(['t/0', 't/4']) }),
      member('b', { owned: new Set(['t/1', 't/2', 't/3']) }),
    ];
    const division = assignPartitions(members, [topic(5)]);
    expect(namesOf(division, 'a')).toEqual(['t/0', 't/4']);
    expect(namesOf(division, 'b')).toEqual(['t/1', 't/2', 't/3']);
  });

  it('gives nothing to a draining member, and moves no partition of the others', () => {
    const members = [
      member('a', { owned: new Set(['t/0', 't/1']), draining: true }),
      member('b', { owned: new Set(['t/2', 't/3']) }),
    ];
    const division = assignPartitions(members, [topic(4)]);
    expect(namesOf(division, 'a')).toEqual([]);
    expect(namesOf(division, 'b').toSorted()).toEqual(['t/0', 't/1', 't/2', 't/3']);
  });

  it('leaves partitions with draining members when there are no others', () => {
    const division = assignPartitions([member('a', { draining: true })], [topic(2)]);
    expect(namesOf(division, 'a')).toEqual(['t/0', 't/1']);
  });

  it('gives a partition that two members claim to one of them', () => {
    const claim = { owned: new Set(['t/0']) };
    const division = assignPartitions([member('b', claim), member('a', claim)], [topic(1)]);
    expect([...namesOf(division, 'a'), ...namesOf(division, 'b')]).toEqual(['t/0']);
  });

  it('gives each member only topics that it reads, and leaves unread topics unassigned', () => {
    const members = [member('a'), member('b', { topics: ['u'] })];
    const division = assignPartitions(members, [topic(4), topic(1, 'u'), topic(2, 'v')]);
    expect(namesOf(division, 'a')).toHaveLength(4);
    expect(namesOf(division, 'b')).toEqual(['u/0']);
  });

  it('gives every partition with readers to exactly one of them', () => {
    fc.assert(
      fc.property(groups, (members) => {
        const division = assignPartitions(members, topics);
        const staying = members.filter(({ draining }) => !draining);
        const takers = staying.length > 0 ? staying : members;
        const given = members.flatMap(({ id }) => namesOf(division, id));
        const read = topics
          .filter((each) => takers.some((taker) => taker.topics.includes(each.topic)))
          .flatMap((each) => each.partitions.map((partition) => `${each.topic}/${partition}`));
        expect(given.toSorted()).toEqual(read.toSorted());
        for (const each of members) {
          expect([...(division.get(each.id)?.keys() ?? [])].every((name) => each.topics.includes(name))).toBe(
            true,
          );
        }
        expect(division.size).toBe(members.length);
      }),
    );
  });

  it('leaves no member with two more than another that could have them', () => {
    fc.assert(
      fc.property(groups, (members) => {
        const division = assignPartitions(members, topics);
        const takers = members.some(({ draining }) => !draining)
          ? members.filter(({ draining }) => !draining)
          : members;
        for (const rich of takers) {
          for (const poor of takers) {
            const movable = namesOf(division, rich.id).filter((name) => poor.topics.includes(name.charAt(0)));
            if (movable.length === 0) continue;
            const difference = namesOf(division, rich.id).length - namesOf(division, poor.id).length;
            expect(difference).toBeLessThan(2);
          }
        }
      }),
    );
  });

  it('moves nothing when nothing has changed, for any order of members', () => {
    fc.assert(
      fc.property(groups, (members) => {
        const first = assignPartitions(members, topics);
        const second = assignPartitions(after(first, members).reverse(), topics);
        for (const { id } of members)
          expect(namesOf(second, id).toSorted()).toEqual(namesOf(first, id).toSorted());
      }),
    );
  });
});
