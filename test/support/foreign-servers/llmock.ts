import { fileURLToPath } from 'node:url';
import { pythonHome } from '../python/python-home.ts';
import type { Fault, ForeignServer } from './foreign-server.ts';
import { freePort, startProcess } from './start-process.ts';

const requirements = fileURLToPath(new URL('llmock-requirements.txt', import.meta.url));

/** As its own control API takes them. */
const behaviors: Readonly<Record<Fault, object>> = {
  '401': { type: 'fail', status: 401 },
  '429': { type: 'fail', status: 429, retry_after: 2 },
  '500': { type: 'fail', status: 500 },
  'broken connection': { type: 'stream_fault', kind: 'disconnect', after_chunks: 2 },
  'cut answer': { type: 'stream_fault', kind: 'truncate', after_chunks: 2 },
};

const TOKENS_PER_MINUTE = 90_000;

/** https://github.com/JulienRabault/LLMock: makes answers up, enforces limits, and breaks on demand. */
export const llmock: ForeignServer = {
  name: 'llmock',
  concurrency: 100,
  faults: ['401', '429', '500', 'broken connection', 'cut answer'],
  callsInParallel: false,
  tokensPerMinute: TOKENS_PER_MINUTE,
  async start() {
    const port = await freePort();
    const home = await pythonHome(requirements);
    const limits = ['--rpm', '600', '--tpm', String(TOKENS_PER_MINUTE), '--stream-chunk-delay-ms', '10'];
    const { close } = await startProcess(
      `${home}/bin/python`,
      ['-m', 'llmock.cli', 'serve', '-h', '127.0.0.1', '-p', String(port), ...limits],
      { listens: /running on/ },
    );
    return {
      baseUrl: `http://127.0.0.1:${port}/v1`,
      apiKey: 'sk-llmock-1234567890',
      model: 'gpt-4o-mini',
      async provoke(fault) {
        const answer = await fetch(`http://127.0.0.1:${port}/_llmock/scenario`, {
          method: 'POST',
          body: JSON.stringify({ behaviors: [behaviors[fault]] }),
        });
        if (!answer.ok) throw new Error(`llmock does not know how to do this: ${await answer.text()}`);
        return { apiKey: 'sk-llmock-1234567890', prompt: 'Say something kind.' };
      },
      close,
    };
  },
};
