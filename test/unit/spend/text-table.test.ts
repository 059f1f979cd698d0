import { describe, expect, it } from 'vitest';
import { csv, table } from '../../../src/spend/report/text-table.ts';

const kinds = ['text', 'number', 'text'] as const;

describe('table', () => {
  it('aligns text to the left and numbers to the right, whatever the width of characters', () => {
    const rows = [
      ['name', 'count', 'note'],
      ['東京', '7', 'a'],
      ['e\u0301', '1200', ''],
      ['longer', '', 'b'],
    ];
    expect(table(rows, kinds)).toBe(
      ['name    count  note', '東京        7  a', 'e\u0301        1200', 'longer         b', ''].join('\n'),
    );
  });

  it('keeps each row in a line, and shows what a terminal would act on', () => {
    expect(table([['a\nb', '1', '\u001b[2J\u202e']], kinds)).toBe('a\\nb  1  \\x1b[2J\\u202e\n');
  });

  it('takes many rows', () => {
    expect(
      table(
        Array.from({ length: 200_000 }, () => ['a']),
        ['text'],
      ),
    ).toHaveLength(400_000);
  });
});

describe('csv', () => {
  it('quotes as RFC 4180 says', () => {
    expect(csv([['a,b', '1', 'say "x"\r\ny']], kinds)).toBe('"a,b",1,"say ""x""\ny"\r\n');
  });

  it.each(['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', ' =1', '\n=1', '＝1', '-', "=cmd|'/C calc'!A0"])(
    'leaves %j no formula in a column of text',
    (cell) => {
      const [first = ''] = csv([[cell, '1']], ['text', 'number']).split(',1\r\n');
      expect(first.replace(/^"/, '').startsWith("'")).toBe(true);
    },
  );

  it('leaves numbers and other text as they are', () => {
    expect(csv([['acme', '-0.0003', 'a=b']], kinds)).toBe('acme,-0.0003,a=b\r\n');
  });
});
