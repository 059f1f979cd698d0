/** The thread in which schemas of callers are compiled and run: started by `checker-thread.ts`, never imported. */
import { parentPort, workerData } from 'node:worker_threads';
import { type JobToRun, PROGRESS, type ThreadMessage, type ThreadSettings } from './checker-protocol.ts';
import { CheckRunner } from './engine/run-checks.ts';

const progress = new Int32Array((workerData as ThreadSettings).progress);
const post = (message: ThreadMessage) => parentPort?.postMessage(message);
const runner = new CheckRunner((job, item) => {
  Atomics.store(progress, PROGRESS.job, job);
  Atomics.store(progress, PROGRESS.item, item);
  Atomics.add(progress, PROGRESS.started, 1);
});
// The first of each kind is slow: nobody waits for it.
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
parentPort?.on('message', (jobs: readonly JobToRun[]) => post({ kind: 'done', jobs: runner.run(jobs) }));
post({ kind: 'ready' });
