import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { metricName } from '../../../src/telemetry/names.ts';

it('docs/observability.md lists exactly the existing metrics', () => {
  const page = readFileSync(new URL('../../../docs/observability.md', import.meta.url), 'utf8');
  const documented = [...page.matchAll(/^\| `([a-z_]+)` \| (?:gauge|counter|histogram) \|/gm)].map(
    ([, name = '']) => name.replace(/_total$/, ''),
  );
  const existing = Object.values(metricName).map((name) => name.replaceAll('.', '_'));
  expect(documented.sort()).toEqual(existing.sort());
});
