/** The process in which schemas of callers are compiled and run: started by `checker-process.ts`, never imported. */
import type { ChildMessage, JobToRun } from './engine/checker-protocol.ts';
import { CheckRunner } from './engine/run-checks.ts';

// The service ends it when it needs it no longer; a signal to the process group must not.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
process.on('disconnect', () => process.exit());

const post = (message: ChildMessage) => process.send?.(message);
const runner = new CheckRunner();
// The first check of each kind is slow: nobody waits for it.
runner.run([
  {
    items: [
      {
        schemaId: 0,
        schemaJson: '{"type":"object","properties":{"a":{"type":"string","pattern":"^a"}},"required":["a"]}',
        value: { text: '{}', root: '', isObject: true },
      },
    ],
    limitMs: 1_000,
  },
]);
process.on('message', (jobs) => post({ kind: 'done', jobs: runner.run(jobs as readonly JobToRun[]) }));
post({ kind: 'ready' });
