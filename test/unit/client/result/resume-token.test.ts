import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeResumeToken, encodeResumeToken } from '../../../../src/client/result/resume-token.ts';

const count = fc.nat(Number.MAX_SAFE_INTEGER);

test('a token is read as it was written', () => {
  const point = fc.record({
    tenantId: fc.string({ unit: 'binary' }),
    requestId: fc.string(),
    key: fc.string({ unit: 'binary' }),
    chunks: fc.tuple(count, count),
    responses: fc.tuple(count, count),
  });
  fc.assert(
    fc.property(point, (given) => {
      const token = encodeResumeToken(given);
      expect(token).toMatch(/^[\w-]+$/);
      expect(decodeResumeToken(token)).toEqual(given);
    }),
  );
});

const asToken = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

test.each([
  ['nothing', ''],
  ['invalid JSON', 'abc'],
  ['no list', asToken({ version: 1 })],
  ['another version', asToken([2, 't', 'r', 'k', 0, 0, 0, 0])],
  ['too few fields', asToken([1, 't', 'r', 'k', 0, 0, 0])],
  ['too many fields', asToken([1, 't', 'r', 'k', 0, 0, 0, 0, 0])],
  ['an id that is no text', asToken([1, 't', 7, 'k', 0, 0, 0, 0])],
  ['a negative offset', asToken([1, 't', 'r', 'k', 0, -1, 0, 0])],
  ['an offset that is no whole number', asToken([1, 't', 'r', 'k', 0, 0.5, 0, 0])],
  ['a partition that is text', asToken([1, 't', 'r', 'k', '0', 0, 0, 0])],
  ['more than a token can have', asToken([1, 't', 'r', 'k'.repeat(40_000), 0, 0, 0, 0])],
])('%s is not a token', (_, token) => {
  expect(() => decodeResumeToken(token)).toThrow(
    expect.objectContaining({ code: 'invalid_token', retryable: false }),
  );
});
