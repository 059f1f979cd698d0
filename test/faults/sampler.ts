/**
 * Preloaded into workers by the soak (`--import`): writes every few seconds, as a line of JSON to SOAK_SAMPLES/<pid>.jsonl,
 * what the process holds after a garbage collection. Memory and descriptors are the whole process's; heap, sockets and timers those of
 * its main thread.
 */
import { appendFileSync, readdirSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { isMainThread } from 'node:worker_threads';

/** One look at a process. */
export interface Sample {
  /** Epoch ms. */
  readonly at: number;
  readonly rss: number;
  readonly heapUsed: number;
  readonly external: number;
  /** Open file descriptors, sockets included. */
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
