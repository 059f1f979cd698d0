import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bytesToDecimal, decimalToBytes } from '../../../src/adapters/avro/decimal-bytes.ts';

const money = { precision: 38, scale: 12 };
const unscaledOf = (digits: bigint) => fc.bigInt({ min: -(10n ** digits) + 1n, max: 10n ** digits - 1n });

describe('decimal text', () => {
  test.each([
    ['0', '00'],
    ['-0', '00'],
    ['0.000000000001', '01'],
    ['-0.000000000001', 'ff'],
    ['0.000000000127', '7f'],
    ['0.000000000128', '0080'],
    ['-0.000000000128', '80'],
    ['-0.000000000129', 'ff7f'],
    // new BigDecimal("0.006").setScale(12).unscaledValue().toByteArray()
    ['0.006', '0165a0bc00'],
  ])('%s is the shortest two’s complement %s, as in Java', (text, hex) => {
    expect(decimalToBytes(text, money).toString('hex')).toBe(hex);
  });

  test('is read in its canonical form', () => {
    const back = (text: string) => bytesToDecimal(decimalToBytes(text, money), money);
    expect(back('0.0060')).toBe('0.006');
    expect(back('-0.0')).toBe('0');
    expect(back('007.500000000000000')).toBe('7.5');
    expect(back('-12')).toBe('-12');
  });

  test('is read as it was written, for any value', () => {
    fc.assert(
      fc.property(fc.oneof(unscaledOf(38n), unscaledOf(17n)), (unscaled) => {
        const whole = { precision: 38, scale: 0 };
        expect(bytesToDecimal(decimalToBytes(String(unscaled), whole), whole)).toBe(String(unscaled));
        const text = bytesToDecimal(decimalToBytes(String(unscaled), whole), money);
        expect(bytesToDecimal(decimalToBytes(text, money), money)).toBe(text);
      }),
    );
  });

  test.each([
    ['1e-7', 'is not decimal text'],
    ['', 'is not decimal text'],
    ['-', 'is not decimal text'],
    ['.5', 'is not decimal text'],
    ['5.', 'is not decimal text'],
    ['1.2.3', 'is not decimal text'],
    ['NaN', 'is not decimal text'],
    ['0.0000000000001', 'has 13 decimals, at most 12'],
    ['100000000000000000000000000', 'has 39 digits with its decimals, at most 38'],
  ])('%j is refused: %s', (text, problem) => {
    expect(() => decimalToBytes(text, money)).toThrow(problem);
  });
});

test('a number with more digits than a small decimal is refused', () => {
  expect(() => decimalToBytes('123.45', { precision: 4, scale: 2 })).toThrow('has 5 digits');
  expect(decimalToBytes('23.45', { precision: 4, scale: 2 }).toString('hex')).toBe('0929');
});

test('bytes that are not a decimal are refused', () => {
  expect(() => bytesToDecimal(Buffer.alloc(0), money)).toThrow('has no bytes');
  expect(() => bytesToDecimal(Buffer.alloc(17, 0x7f), money)).toThrow('has 41 digits');
});

test('sign-extended bytes, which are longer than necessary, are read', () => {
  expect(bytesToDecimal(Buffer.from('ffffffff', 'hex'), money)).toBe('-0.000000000001');
});
