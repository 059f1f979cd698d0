/** Follows partition 0 of the topic that is its argument, and writes each value on a line of its own. */
import { TopicFollower } from '../../src/adapters/kafka/follow/topic-follower.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { createLogger } from '../../src/runtime/logger.ts';

const [topic = ''] = process.argv.slice(2);
const follower = await TopicFollower.connect({
  settings: loadConfig(process.env, { readFile: () => '' }).kafka,
  logger: createLogger({ level: 'silent' }),
  isolationLevel: 'read_committed',
  onFetched: ({ records }) => {
    for (const { value } of records) console.log(String(value));
  },
  onFailed: (error) => {
    throw error;
  },
});
await follower.follow([{ topic, partition: 0, from: 'end' }]);
console.log('following');
