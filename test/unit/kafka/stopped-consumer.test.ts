import { createRequire } from 'node:module';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { installConsumerGroup } from '../../../src/adapters/kafka/kafkajs/consumer-group.ts';

const require = createRequire(import.meta.url);
const createFetcher = require('kafkajs/src/consumer/fetcher.js');
const Runner = require('kafkajs/src/consumer/runner.js');

it('a consumer that was stopped while the brokers changed ends its restarted fetches', async () => {
  installConsumerGroup();
  const fetchers: { start(): Promise<void>; stop(): Promise<void> }[] = [];
  const logger = { debug: () => undefined, namespace: () => logger };
  const stopped = {
    running: false,
    fetchManager: { getFetchers: () => fetchers },
    logger,
    consumerGroup: {},
  };
  let fetches = 0;
  const fetch = (nodeId: string) => {
    fetches += 1;
    // Without the repair it fetches forever and blocks the event loop.
    if (fetches > 1_000) throw new Error('it fetches forever');
    return Runner.prototype.fetch.call(stopped, nodeId);
  };
  fetchers.push(
    createFetcher({ nodeId: '1', workerQueue: {}, partitionAssignments: new Map(), fetch, logger }),
  );
  await Promise.all(fetchers.map((fetcher) => fetcher.start()));
  await nextTurn();
  expect(fetches).toBe(1);
});
