import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, it } from 'vitest';
import { HOSTILE } from './hostile-cases.ts';

it('no schema or answer ends the process, or breaks later checks', { timeout: 300_000 }, async () => {
  const script = new URL('./hostile-child.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const [exitCode] = await once(child, 'close');
  expect(exitCode).toBe(0);
  const { results, after } = JSON.parse(output);
  expect(Object.keys(results)).toEqual(Object.keys(HOSTILE));
  expect(results).toMatchObject({
    'nested look-behinds': 'not_checked',
    'nested groups': 'not_checked',
    'nested counts': 'not_checked',
    'a pattern that backtracks': 1,
    'look-behinds as text': 'not_checked',
    'alternatives that multiply': 'not_checked',
    'references that multiply': 'not_checked',
    'references in a circle': 'not_checked',
  });
  expect(after).toEqual({ kind: 'checked', problems: [] });
});
