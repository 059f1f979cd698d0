import { expect, it, vi } from 'vitest';
import type * as timeLimit from '../../../src/adapters/json-schema/engine/time-limit.ts';

const limit = vi.hoisted(() => ({ ms: 1 }));
vi.mock('../../../src/adapters/json-schema/engine/time-limit.ts', async (original) => {
  const { withTimeLimit, isTimeout } = await original<typeof timeLimit>();
  return {
    isTimeout,
    withTimeLimit: <T>(work: () => T, limitMs: number) => withTimeLimit(work, limit.ms || limitMs),
  };
});
const { compileSchema } = await import('../../../src/adapters/json-schema/engine/compile-schema.ts');

it('an interrupted compilation, even the first one, does not affect later ones', () => {
  const properties = Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`p${n}`, { type: 'string' }]));
  const large = { type: 'object', properties, required: Object.keys(properties) };
  expect(compileSchema(large, 500)).toEqual({ unusable: expect.stringContaining('too long to compile') });
  limit.ms = 0;
  expect(compileSchema({ type: 'object' }, 5_000)).toHaveProperty('validate');
  expect(compileSchema(large, 5_000)).toHaveProperty('validate');
});
