import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const LOGGER = fileURLToPath(new URL('../../../src/runtime/logger.ts', import.meta.url));
const LINES = 400;

it('writes every line in order, including fatal ones, before the process ends', async () => {
  const script = `
    const { createLogger, logWritten } = await import(${JSON.stringify(LOGGER)});
    const logger = createLogger({ level: 'info' });
    for (let number = 0; number < ${LINES}; number += 1) {
      logger[number % 2 === 0 ? 'info' : 'fatal']({ number }, 'a line');
      await new Promise((resolve) => setImmediate(resolve));
    }
    await logWritten();
    process.exit();`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script]);
  const numbers = stdout
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { number: number }).number);
  expect(numbers).toEqual(Array.from({ length: LINES }, (_, number) => number));
});
