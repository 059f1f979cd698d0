import OpenAI from 'openai';
import { planOf } from '../support/child-commands.ts';
import { runClientLoop } from '../support/client-loop.ts';
import { MODEL, PROMPT } from '../support/plans.ts';

/* The SDK's own stream, no Kafka, no database. */

const plan = planOf('sdk-loop');
const openai = new OpenAI({ baseURL: plan.baseUrl, apiKey: 'sk-bench', maxRetries: 0 });

runClientLoop(plan, async () => {
  const stream = await openai.chat.completions.create({
    model: MODEL,
    messages: [{ role: 'user', content: PROMPT }],
    stream: true,
    stream_options: { include_usage: true },
  });
  let content = '';
  for await (const chunk of stream) content += chunk.choices[0]?.delta.content ?? '';
  return content;
});
