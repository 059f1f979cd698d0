import { createRequire } from 'node:module';

/** Of one connection's queue in kafkajs, what is used here. */
interface RequestQueue {
  readonly pending: readonly unknown[];
  scheduleCheckPendingRequests(): void;
}

const KAFKAJS_QUEUE = 'kafkajs/src/network/requestQueue/index.js';
const require = createRequire(import.meta.url);
let isInstalled = false;

/**
 * Lets kafkajs look after waiting requests only while some wait. After its first answer each of its connections looks every
 * millisecond, for ever, which kept an idle service at a tenth of a core, and Node writes a warning about the negative
 * delay. Nothing else needs it: whatever is answered or throttled looks by itself.
 */
export function installRequestQueue(): void {
  if (isInstalled) return;
  isInstalled = true;
  const queue: RequestQueue = require(KAFKAJS_QUEUE).prototype;
  const schedule = queue.scheduleCheckPendingRequests;
  queue.scheduleCheckPendingRequests = function (this: RequestQueue) {
    if (this.pending.length > 0) schedule.call(this);
  };
}
