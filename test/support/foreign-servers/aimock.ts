import { fileURLToPath } from 'node:url';
import type { Fault, ForeignServer } from './foreign-server.ts';
import { freePort, startProcess } from './start-process.ts';

const apiKey = 'sk-aimock-1234567890';
const fixtures = fileURLToPath(new URL('aimock-fixtures.json', import.meta.url));
const cli = fileURLToPath(new URL('cli.js', import.meta.resolve('@copilotkit/aimock')));

const prompts: Readonly<Record<Fault, string>> = {
  '401': 'Say something kind.',
  '429': 'Refuse this as too much.',
  '500': 'Fail at this.',
  'broken connection': 'Break off in the middle.',
  'cut answer': 'Stop in the middle.',
};

/** https://github.com/CopilotKit/aimock: answers by a table of prompts. */
export const aimock: ForeignServer = {
  name: '@copilotkit/aimock',
  concurrency: 200,
  faults: ['401', '429', '500', 'broken connection', 'cut answer'],
  callsInParallel: true,
  tokensPerMinute: null,
  async start() {
    const port = await freePort();
    const { close } = await startProcess(
      process.execPath,
      [cli, '-p', String(port), '-h', '127.0.0.1', '-f', fixtures],
      { env: { AIMOCK_API_KEYS: apiKey }, listens: /listening on/ },
    );
    return {
      baseUrl: `http://127.0.0.1:${port}/v1`,
      apiKey,
      model: 'gpt-4o-mini',
      provoke: async (fault) => ({ apiKey: fault === '401' ? 'sk-another' : apiKey, prompt: prompts[fault] }),
      close,
    };
  },
};
