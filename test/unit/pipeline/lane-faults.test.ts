import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LaneBench } from './lane-bench.ts';

type Fault = 'none' | 'before the commit' | 'after the commit' | 'reopen' | 'rejoin' | 'drop position';

describe('A lane under faults', () => {
  it('makes every outcome visible exactly once, whatever fails at any time', async () => {
    const faults = fc.array(
      fc.constantFrom<Fault>(
        'none',
        'before the commit',
        'after the commit',
        'reopen',
        'rejoin',
        'drop position',
      ),
      { maxLength: 12 },
    );
    await fc.assert(
      fc.asyncProperty(faults, fc.array(fc.nat(), { minLength: 1, maxLength: 12 }), async (plan, picks) => {
        const bench = new LaneBench(500);
        const finished = new Set<number>();
        // As the pipeline does: a finished request is offered again when its record is redelivered.
        bench.onAccepted = ({ offset }) => {
          if (finished.has(offset)) bench.finish(offset);
        };
        let armed: Fault = 'none';
        const failAt = (place: Fault) => () => {
          if (armed !== place) return;
          armed = 'none';
          throw new Error(place);
        };
        bench.transport.beforeCommit = failAt('before the commit');
        bench.transport.afterCommit = failAt('after the commit');
        await bench.open();
        for (const [index, fault] of plan.entries()) {
          bench.log.appendMany(3);
          if (index % 3 === 0) bench.log.skip();
          bench.fetchOnce(2);
          armed = fault;
          if (fault === 'reopen') bench.lane.reopen();
          if (fault === 'rejoin') {
            bench.source.rejoin(bench.log, bench.transport.committed.offset ?? 0);
            bench.lane.reassigned('member-1');
          }
          if (fault === 'drop position')
            bench.source.rejoin(bench.log, bench.transport.committed.offset ?? 0);
          const waiting = bench.log.records
            .map(({ offset }) => offset)
            .filter((offset) => !finished.has(offset));
          const offset = waiting[(picks[index % picks.length] ?? 0) % waiting.length];
          if (offset !== undefined && bench.acceptedOffsets.includes(offset)) {
            finished.add(offset);
            bench.finish(offset);
          }
          await bench.reach(() => bench.lane.state === 'open');
        }
        for (const { offset } of bench.log.records) {
          if (!finished.has(offset)) bench.finish(offset);
          finished.add(offset);
        }
        await bench.reach(() => {
          bench.fetch();
          return (
            bench.log.records.length === 0 || new Set(bench.visibleOffsets).size === bench.log.records.length
          );
        });
        expect(bench.visibleOffsets.toSorted((one, other) => one - other)).toEqual(
          bench.log.records.map(({ offset }) => offset),
        );
        bench.lane.close();
      }),
      { numRuns: 60 },
    );
  });
});
