import { describe, expect, it } from 'vitest';
import { type Column, Listing, type Output, outputOf } from '../../../../src/cli/output/listing.ts';

interface Row {
  readonly name: string;
  readonly count: number | null;
}
const columns: readonly Column<Row>[] = [
  { name: 'name', cell: ({ name }) => name },
  { name: 'count', kind: 'number', cell: ({ count }) => count },
];

async function written(output: Output, rows: readonly Row[]) {
  const texts = { stdout: '', stderr: '' };
  const tool = {
    printPage: async (text: string) => {
      texts.stdout += text;
    },
    printError: (text: string) => {
      texts.stderr += text;
    },
  };
  const listing = new Listing(tool, output, columns, (row) => row);
  for (const row of rows) await listing.add(row);
  await listing.end('there are no rows');
  return texts;
}

const rows = [
  { name: '=a', count: 5 },
  { name: 'b\u009b', count: null },
];

describe('a listing', () => {
  it.each([
    ['table', 'name   count\n=a         5\nb\\x9b\n'],
    ['csv', "name,count\r\n'=a,5\r\nb\\x9b,\r\n"],
    ['json', '{"name":"=a","count":5}\n{"name":"b\\u009b","count":null}\n'],
  ] as const)('is written as %s', async (output, stdout) => {
    expect(await written(output, rows)).toEqual({ stdout, stderr: '' });
  });

  it.each([
    ['table', ''],
    ['csv', 'name,count\r\n'],
    ['json', ''],
  ] as const)('of nothing says so beside the data, as %s', async (output, stdout) => {
    expect(await written(output, [])).toEqual({ stdout, stderr: 'there are no rows\n' });
  });

  it('has one header, however long it is', async () => {
    const many = Array.from({ length: 3_000 }, (_, index) => ({ name: `n${index}`, count: index }));
    const { stdout } = await written('table', many);
    expect(stdout.split('\n')).toHaveLength(3_002);
    expect(stdout.match(/name/g)).toHaveLength(1);
  });

  it('takes --json and the former --format', () => {
    const warnings: string[] = [];
    const warn = (text: string) => void warnings.push(text);
    expect(outputOf({ output: 'csv' }, warn)).toBe('csv');
    expect(outputOf({ output: 'table', json: true }, warn)).toBe('json');
    expect(warnings).toEqual([]);
    expect(outputOf({ output: 'table', format: 'csv' }, warn)).toBe('csv');
    expect(warnings).toEqual(['warning: --format is now called --output; --format will be removed\n']);
  });
});
