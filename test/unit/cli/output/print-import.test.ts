import { describe, expect, it } from 'vitest';
import type { Tool } from '../../../../src/cli/options/tool.ts';
import { type ImportReport, printImport } from '../../../../src/cli/output/print-import.ts';

function printed(done: Parameters<typeof printImport>[1], report: Partial<ImportReport> = {}) {
  const texts = { stdout: '', stderr: '' };
  const tool = {
    print: (text: string) => {
      texts.stdout += text;
    },
    printError: (text: string) => {
      texts.stderr += text;
    },
  } as Tool;
  return { code: printImport(tool, done, { dryRun: false, verbose: false, ...report }), ...texts };
}

const refused = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ name: `m-${index}`, reason: 'clashes' }));
const summary = { added: ['a', 'b\u001b[2J'], changed: ['c'], unchanged: [], refused: [] };

describe('an import', () => {
  it('is its counts', () => {
    expect(printed(summary)).toEqual({
      code: 0,
      stdout: '2 added, 1 changed, 0 unchanged, 0 refused\n',
      stderr: '',
    });
  });

  it('says what a dry run would do', () => {
    expect(printed(summary, { dryRun: true }).stdout).toBe(
      'would add 2, change 1, leave 0 unchanged, refuse 0\n',
    );
  });

  it('names each entry when it is verbose', () => {
    expect(printed(summary, { verbose: true }).stdout).toBe(
      '2 added, 1 changed, 0 unchanged, 0 refused\n  added a\n  added b\\x1b[2J\n  changed c\n',
    );
  });

  it('fails for what is refused, and names a few or all of it', () => {
    expect(printed({ ...summary, refused: refused(2) })).toMatchObject({
      code: 1,
      stderr: 'refused m-0: clashes\nrefused m-1: clashes\n',
    });
    expect(printed({ ...summary, refused: refused(5) }).stderr).toMatch(
      /m-2: clashes\n2 more refused; --verbose names them\n$/,
    );
    expect(printed({ ...summary, refused: refused(5) }, { verbose: true }).stderr.split('\n')).toHaveLength(
      6,
    );
  });
});
