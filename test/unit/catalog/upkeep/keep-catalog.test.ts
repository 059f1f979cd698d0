import { describe, expect, it } from 'vitest';
import {
  type CatalogDuty,
  type CatalogStep,
  keepCatalog,
  TaskLost,
} from '../../../../src/catalog/upkeep/keep-catalog.ts';
import { createLogger } from '../../../../src/runtime/logger.ts';

const HOUR = 3_600_000;

/** A database in memory: whether the task is due, and the steps done. */
function dutyOf(members: Partial<CatalogDuty> = {}) {
  const done: string[] = [];
  let isDue = true;
  let pending = false;
  const stop = new AbortController();
  const duty: CatalogDuty = {
    lead: {
      isDue: async () => isDue,
      take: async () => {
        done.push('take');
        return 'me';
      },
      release: async (owner, nextInMs) => {
        done.push(`give ${owner} ${nextInMs}`);
        if (nextInMs !== null) isDue = false;
      },
    },
    steps: [],
    announce: {
      isNeeded: async () => pending,
      all: async () => {
        done.push('announce');
        pending = false;
      },
    },
    intervalMs: HOUR,
    lookMs: 0,
    random: () => 0.5,
    metrics: {
      stepDone: (step, error) => void done.push(`${step} ${error}`),
      announced: () => undefined,
      pricesWaiting: () => undefined,
    },
    logger: createLogger({ level: 'silent' }),
    ...members,
  };
  return { duty, done, stop, makePending: () => (pending = true) };
}

const step = (name: CatalogStep['name'], run: CatalogStep['run']): CatalogStep => ({ name, run });
const lasting = new AbortController().signal;

/** Keeps the catalog until a step was done. */
async function until({ duty, done, stop }: ReturnType<typeof dutyOf>, last: string): Promise<string[]> {
  const keeping = keepCatalog(duty, stop.signal, () => lasting);
  while (!done.includes(last)) await new Promise(setImmediate);
  stop.abort();
  await keeping;
  return done;
}

describe('keeping the catalog', () => {
  it('runs every step when it is due, announces, and sets its next due time', async () => {
    const world = dutyOf({
      steps: [
        step('models', async (owner) => void world.done.push(owner)),
        step('prices', async () => undefined),
      ],
    });
    expect(await until(world, `give me ${HOUR}`)).toEqual([
      'take',
      'me',
      'models null',
      'prices null',
      'announce',
      `give me ${HOUR}`,
    ]);
  });

  it.each([
    [0, 0.9 * HOUR],
    [1, 1.1 * HOUR],
  ])('is a tenth early or late (%d)', async (random, expected) => {
    const world = dutyOf({ random: () => random });
    await until(world, `give me ${Math.round(expected)}`);
  });

  it('runs the other steps when one fails, announces pending changes, and retries sooner', async () => {
    const failing = [
      step('models', () => Promise.reject(Object.assign(new Error('no'), { code: 'timeout' }))),
      step('prices', () => Promise.reject(new RangeError('no'))),
    ];
    expect(await until(dutyOf({ steps: failing }), `give me ${HOUR / 12}`)).toEqual([
      'take',
      'models timeout',
      'prices RangeError',
      'announce',
      `give me ${HOUR / 12}`,
    ]);
  });

  it('only announces when something is stored and nothing is due', async () => {
    const world = dutyOf();
    await until(world, `give me ${HOUR}`);
    const again = dutyOf({ lead: { ...world.duty.lead } });
    again.makePending();
    await until(again, 'announce');
    expect(again.done).toEqual(['announce']);
    expect(world.done.slice(-2)).toEqual(['take', 'give me null']);
  });

  it('leaves the due time to others when it lost the task, and continues', async () => {
    let times = 0;
    const world = dutyOf({
      steps: [
        step('models', async () => {
          times += 1;
          if (times === 1) throw new TaskLost('taken over');
        }),
      ],
    });
    expect(await until(world, `give me ${HOUR}`)).toEqual([
      'take',
      'give me null',
      'take',
      'models null',
      'announce',
      `give me ${HOUR}`,
    ]);
  });

  it('stops in the middle of a step, and releases the task without changing its due time', async () => {
    const running = Promise.withResolvers<void>();
    const world = dutyOf({
      steps: [
        step('models', (_owner, signal) => {
          running.resolve();
          return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
        }),
      ],
    });
    const keeping = keepCatalog(world.duty, world.stop.signal, () => lasting);
    await running.promise;
    world.stop.abort(new Error('stopping'));
    await keeping;
    expect(world.done).toEqual(['take', 'give me null']);
  });

  it('survives an unavailable database', async () => {
    let isAway = true;
    const world = dutyOf();
    const lead = {
      ...world.duty.lead,
      isDue: async () => {
        if (!isAway) return true;
        isAway = false;
        throw new Error('away');
      },
    };
    expect(await until({ ...world, duty: { ...world.duty, lead } }, 'announce')).toContain('take');
  });
});
