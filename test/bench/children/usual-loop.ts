import kafkajs from 'kafkajs';
import OpenAI from 'openai';
import { obey, planOf } from '../support/child-commands.ts';

/*
 * The loop that most services of this kind are: kafkajs's eachMessage, one message of each partition at a time, the SDK's
 * stream awaited, each piece sent as it comes, then the answer; offsets are committed by kafkajs itself.
 */

const plan = planOf('usual-loop');
const kafka = new kafkajs.Kafka({
  clientId: 'usual-loop',
  brokers: [...plan.kafka.brokers],
  logLevel: kafkajs.logLevel.ERROR,
});
const openai = new OpenAI({ baseURL: plan.baseUrl, apiKey: 'sk-bench' });
const producer = kafka.producer({ allowAutoTopicCreation: false });
const consumer = kafka.consumer({ groupId: `${plan.kafka.groupId}-usual-loop` });

await producer.connect();
await consumer.connect();
await consumer.subscribe({ topics: [plan.topics.requests], fromBeginning: true });
const joined = Promise.withResolvers<void>();
consumer.on(consumer.events.GROUP_JOIN, () => joined.resolve());
await consumer.run({
  partitionsConsumedConcurrently: plan.partitions,
  eachMessage: async ({ message }) => {
    const { requestId, model, messages } = JSON.parse(String(message.value)) as {
      requestId: string;
      model: string;
      messages: OpenAI.ChatCompletionMessageParam[];
    };
    const stream = await openai.chat.completions.create({
      model,
      messages,
      stream: true,
      stream_options: { include_usage: true },
    });
    let content = '';
    for await (const chunk of stream) {
      const delta = chunk.choices[0]?.delta.content;
      if (!delta) continue;
      content += delta;
      const value = JSON.stringify({ requestId, content: delta });
      await producer.send({ topic: plan.topics.chunks, messages: [{ key: requestId, value }] });
    }
    const value = JSON.stringify({ requestId, content });
    await producer.send({ topic: plan.topics.responses, messages: [{ key: message.key, value }] });
  },
});
await joined.promise;
obey({});
