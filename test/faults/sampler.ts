/**
 * Preloaded into workers by the soak (`--import`): after a garbage collection every few seconds, writes the
 * process's resources as a line of JSON to SOAK_SAMPLES/<pid>.jsonl. Memory and descriptors are those of the whole process.
 * Heap, sockets and timers are those of its main thread.
 */
import { appendFileSync, readdirSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { isMainThread } from 'node:worker_threads';

/** One sample of a process. */
export interface Sample {
  /** Epoch ms. */
  readonly at: number;
  readonly rss: number;
  readonly heapUsed: number;
  readonly external: number;
  /** Open file descriptors, including sockets. */
  readonly descriptors: number;
  readonly sockets: number;
  readonly timers: number;
}

const EVERY_MS = 5_000;
const directory = process.env['SOAK_SAMPLES'];

if (directory !== undefined && isMainThread) {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  setInterval(() => {
    collectGarbage();
    const { rss, heapUsed, external } = process.memoryUsage();
    const resources = process.getActiveResourcesInfo();
    const count = (name: string) => resources.filter((resource) => resource.startsWith(name)).length;
    const sample: Sample = {
      at: Date.now(),
      rss,
      heapUsed,
      external,
      descriptors: descriptors(),
      sockets: count('TCPSocketWrap'),
      timers: count('Timeout'),
    };
    appendFileSync(`${directory}/${process.pid}.jsonl`, `${JSON.stringify(sample)}\n`);
  }, EVERY_MS).unref();
}

function descriptors(): number {
  return readdirSync(process.platform === 'linux' ? '/proc/self/fd' : '/dev/fd').length;
}
