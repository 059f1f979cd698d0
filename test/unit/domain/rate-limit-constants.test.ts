import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const read = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');
const page = read('docs/rate-limits.md');
const rows = [...page.matchAll(/^\| `([A-Z_]+)` \| ([^|]+) \| ([a-z-]+) \| [^|]+\|$/gm)].map(
  ([, name = '', value = '', file = '']) => ({ name, value: value.trim(), file }),
);
const sources = ['limit-bucket', 'adaptive-pace', 'rate-limiter', 'key-gate'].map((file) => ({
  file,
  source: read(file === 'key-gate' ? 'src/pipeline/admission/key-gate.ts' : `src/domain/limits/${file}.ts`),
}));
const constants = sources.flatMap(({ file, source }) =>
  [...source.matchAll(/^const ([A-Z_]+) = (.+);$/gm)].map(([, name = '', value = '']) => ({
    name,
    value,
    file,
  })),
);

describe('the page on rate limits', () => {
  it('lists every constant of the limiter', () => {
    // A timer's longest delay belongs to Node.js, not to the limiter.
    const names = constants.map(({ name }) => name).filter((name) => name !== 'LONGEST_TIMER_MS');
    expect(rows.map(({ name }) => name)).toEqual(names);
  });

  it.each(rows)('has the value of $name', ({ name, value, file }) => {
    const constant = constants.find((one) => one.name === name);
    expect(constant?.file).toBe(file);
    const numbers = (text: string) => text.match(/\d[\d_]*(\.\d+)?/g);
    expect(numbers(value)).toEqual(numbers(constant?.value ?? ''));
  });
});
