import { describe, expect, it } from 'vitest';
import { planImport } from '../../../../src/catalog/prices/plan-import.ts';
import { findPrice, priceTimelines } from '../../../../src/catalog/prices/versions/find-price.ts';
import { versionOf } from '../../../../src/catalog/prices/versions/price-versions.ts';
import type { PriceVersion } from '../../../../src/catalog/stores.ts';

const instant = (date: string) => Date.parse(`${date}T00:00:00.000Z`);

function version(begin: string, input: string, members: Partial<PriceVersion> = {}): PriceVersion {
  const entry = {
    provider: 'openai',
    model: 'gpt-x',
    currency: 'USD',
    effectiveFrom: instant(begin),
    effectiveTo: null,
    components: { input, output: '8' },
    source: 'the page',
    ...members,
  };
  return versionOf(entry, 0, 'hash');
}

const dated = (...versions: PriceVersion[]) => versions.map((one) => ({ version: one, isDated: true }));
const ids = (versions: readonly PriceVersion[]) => versions.map(({ id }) => id.slice('openai/gpt-x@'.length));
const inputAt = (versions: readonly PriceVersion[], date: string) =>
  findPrice(priceTimelines(versions), 'openai', 'gpt-x', instant(date))?.components.input;
const JANUARY = '2025-01-01T00:00:00.000Z';

describe('a dated entry with the figures that are in force', () => {
  const known = [version('2025-01-01', '2')];

  it('adds no version', () => {
    const plan = planImport(known, dated(version('2025-06-01', '2')), false);
    expect(plan).toMatchObject({ append: [], refused: [] });
    expect(ids(plan.unchanged)).toEqual([JANUARY]);
  });

  it('adds no version beside entries of its own file', () => {
    const plan = planImport([], dated(version('2025-06-01', '2'), ...known), false);
    expect(ids(plan.append)).toEqual([JANUARY]);
    expect(ids(plan.unchanged)).toEqual([JANUARY]);
  });

  it('is a version where another price lies between, also one of its own file', () => {
    const file = dated(version('2025-06-01', '2'), version('2025-03-01', '3'));
    const plan = planImport(known, file, false);
    expect(plan.append).toHaveLength(2);
    expect(
      ['2025-02-01', '2025-04-01', '2025-07-01'].map((day) => inputAt([...known, ...plan.append], day)),
    ).toEqual(['2', '3', '2']);
  });

  it('is a version where it ends otherwise', () => {
    const plan = planImport(
      known,
      dated(version('2025-06-01', '2', { effectiveTo: instant('2025-07-01') })),
      false,
    );
    expect(plan.append).toHaveLength(1);
    expect(inputAt([...known, ...plan.append], '2025-08-01')).toBeUndefined();
  });

  it('is not said to hold beyond the end of what is in force', () => {
    const ended = [version('2025-01-01', '2', { effectiveTo: instant('2025-07-01') })];
    const plan = planImport(ended, dated(version('2025-06-01', '2')), false);
    expect(plan.unchanged).toEqual([]);
    expect(plan.refused).toHaveLength(1);
  });

  it('is a version where the entry before it in the file is refused', () => {
    const ended = [version('2025-01-01', '2', { effectiveTo: instant('2025-07-01') })];
    const plan = planImport(ended, dated(version('2025-06-01', '3'), version('2025-07-01', '3')), false);
    expect(ids(plan.append)).toEqual(['2025-07-01T00:00:00.000Z']);
    expect(plan.refused).toHaveLength(1);
  });

  it('is kept in a history with corrections, whose versions name each other', () => {
    const [first, later] = [version('2025-01-01', '2'), version('2025-06-01', '2')];
    const corrected = version('2025-06-01', '3', { supersedes: later.id });
    expect(planImport([], dated(first, later, corrected), false).append).toHaveLength(3);
  });

  it.each([
    ['another currency', { currency: 'EUR' }],
    ['an uplift', { regionalUplift: { eu: '1.1' } }],
    ['a service tier', { serviceTiers: { flex: { components: { input: '1', output: '4' } } } }],
  ])('is a version with %s', (_what, members) => {
    expect(planImport(known, dated(version('2025-06-01', '2', members)), false).append).toHaveLength(1);
  });
});

describe('a new edition of a file', () => {
  const old = version('2025-01-01', '2');
  const uplifted = version('2025-01-01', '2', { regionalUplift: { eu: '1.1' } });
  const known = [old];

  it('supersedes the version that it corrects, once', () => {
    const plan = planImport(known, dated(uplifted), true);
    expect(plan.refused).toEqual([]);
    expect(plan.append).toMatchObject([
      { id: `openai/gpt-x@${JANUARY}#2`, supersedes: old.id, regionalUplift: { eu: '1.1' } },
    ]);
    const after = [...known, ...plan.append];
    expect(planImport(after, dated(uplifted), true)).toMatchObject({ append: [], refused: [] });
    // The edition before it brings nothing back.
    expect(planImport(after, dated(old), true)).toMatchObject({ append: [], refused: [] });
    // The next one corrects the correction.
    expect(planImport(after, dated(version('2025-01-01', '4')), true).append).toMatchObject([
      { id: `openai/gpt-x@${JANUARY}#3`, supersedes: `openai/gpt-x@${JANUARY}#2` },
    ]);
  });

  it('leaves what somebody set or corrected by hand', () => {
    const byHand = version('2025-01-01', '1', { supersedes: old.id, source: 'by hand' });
    const plan = planImport([old, byHand], dated(uplifted), true);
    expect(plan.append).toEqual([]);
    expect(plan.refused[0]?.reason).toContain('by hand');
  });

  it('adds later versions as they are', () => {
    const plan = planImport(known, dated(uplifted, version('2025-06-01', '3')), true);
    expect(ids(plan.append)).toEqual(['2025-06-01T00:00:00.000Z', `${JANUARY}#2`]);
  });

  it('refuses other figures when the file may not correct earlier ones', () => {
    expect(planImport(known, dated(uplifted), false)).toMatchObject({
      append: [],
      refused: [{ version: uplifted }],
    });
  });
});
