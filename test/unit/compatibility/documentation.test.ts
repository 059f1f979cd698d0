import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { exchangesById, providerExchanges } from '../../support/exchanges/provider-exchanges.ts';

const page = readFileSync(new URL('../../../docs/compatibility.md', import.meta.url), 'utf8');

/** The sections with a table, each with the exchanges that its rows name. */
const sections = page
  .split(/^## /m)
  .slice(1)
  .map((section) => {
    const [title = '', ...lines] = section.split('\n');
    const rows = lines.filter((line) => line.startsWith('| ')).slice(2);
    return { title, rows, exchanges: rows.map((row) => /\| `([\w/-]+)` \|$/.exec(row)?.[1] ?? row) };
  });

describe('docs/compatibility.md', () => {
  it('has a section for each provider of the replay suite, in its order', () => {
    expect(sections.map(({ title }) => title)).toEqual(providerExchanges.map(({ name }) => name));
  });

  it.each(providerExchanges)('names an exchange of $name in each row of its section', ({ id, name }) => {
    const named = sections.find(({ title }) => title === name)?.exchanges ?? [];
    expect(named.length).toBeGreaterThan(0);
    for (const exchange of named) {
      expect([...exchangesById.keys()]).toContain(exchange);
      expect(exchange).toMatch(new RegExp(`^${id}/`));
    }
  });
});

describe('the replay suite', () => {
  it('has at least 60 exchanges of at least ten providers', () => {
    expect(exchangesById.size).toBeGreaterThanOrEqual(60);
    expect(providerExchanges.length).toBeGreaterThan(10);
  });

  it('has each id once', () => {
    const count = providerExchanges.reduce((sum, { exchanges }) => sum + Object.keys(exchanges).length, 0);
    expect(exchangesById.size).toBe(count);
  });
});
