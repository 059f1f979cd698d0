import { expect, it } from 'vitest';
import { logChanges } from '../../../../src/catalog/upkeep/log-changes.ts';
import type { ModelChanged } from '../../../../src/contract/record-types.ts';

function logged(changes: readonly ModelChanged[]): [level: string, fields: object][] {
  const lines: [string, object][] = [];
  const level = (name: string) => (fields: object) => void lines.push([name, fields]);
  logChanges(changes, { info: level('info'), debug: level('debug') } as Parameters<typeof logChanges>[1]);
  return lines;
}

const changes = (count: number, change: ModelChanged['change']): ModelChanged[] =>
  Array.from({ length: count }, (_, index) => ({
    eventId: `${index}`,
    provider: 'openai',
    model: `m${index}`,
    change,
    details: [],
    priceId: null,
    source: '',
    occurredAt: 0,
  }));

it('logs a few changes one by one', () => {
  expect(logged([])).toEqual([]);
  const lines = logged(changes(20, 'ADDED'));
  expect(lines).toHaveLength(20);
  expect(lines[3]).toEqual(['info', { provider: 'openai', model: 'm3', change: 'ADDED', details: [] }]);
});

it('logs many as counts, and each one at debug level', () => {
  const lines = logged([...changes(14, 'ADDED'), ...changes(7, 'PRICED')]);
  expect(lines.filter(([level]) => level === 'debug')).toHaveLength(21);
  expect(lines.filter(([level]) => level === 'info')).toEqual([
    ['info', { changes: { ADDED: 14, PRICED: 7 } }],
  ]);
});
