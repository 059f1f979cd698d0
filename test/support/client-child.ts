/** Sends the request that is its argument, and writes the answer's token, then its text as it comes, a line each. */
import { connect } from '../../src/client/index.ts';

const [message = ''] = process.argv.slice(2);
const bus = await connect({
  brokers: process.env['KAFKA_BROKERS'] ?? '',
  topicPrefix: process.env['CHAT_TOPIC_PREFIX'] ?? 'chat',
});
const answer = bus.chat({ messages: message });
console.log(answer.resumeToken);
for await (const text of answer) console.log(JSON.stringify(text));
await bus.close();
