import { expect, it, vi } from 'vitest';
import type * as timeLimit from '../../../src/adapters/json-schema/time-limit.ts';

const limit = vi.hoisted(() => ({ ms: 1 }));
vi.mock('../../../src/adapters/json-schema/time-limit.ts', async (original) => {
  const { withTimeLimit, isTimeout } = await original<typeof timeLimit>();
  return {
    isTimeout,
    withTimeLimit: <T>(work: () => T, limitMs: number) => withTimeLimit(work, limit.ms || limitMs),
  };
});
const { compileSchema } = await import('../../../src/adapters/json-schema/compile-schema.ts');

it('a compilation that is cut short, the very first one too, harms none that comes after it', async () => {
  const properties = Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`p${n}`, { type: 'string' }]));
  const large = { type: 'object', properties, required: Object.keys(properties) };
  expect(await compileSchema(large)).toEqual({ reason: expect.stringContaining('too long to compile') });
  limit.ms = 0;
  expect(await compileSchema({ type: 'object' })).toHaveProperty('validate');
  expect(await compileSchema(large)).toHaveProperty('validate');
});
