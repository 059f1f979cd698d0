/**
 * A conversation with tools through Kafka: asks, runs what the model calls, and asks again with the results until it
 * answers in words. How to run it: docs/tool-calls.md.
 *
 *   node docs/examples/tool-loop.ts [QUESTION]
 */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { openExchange } from '../../scripts/quickstart/exchange.ts';
import { getWeather, weatherNow } from '../../scripts/quickstart/weather-tool.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import type { MessageInput, ToolCall } from '../../src/contract/record-types.ts';
import { createLogger } from '../../src/runtime/logger.ts';

const getTime = {
  name: 'get_time',
  description: 'The time in a city right now.',
  parametersJson: JSON.stringify({
    type: 'object',
    properties: { city: { type: 'string' } },
    required: ['city'],
    additionalProperties: false,
  }),
};
const tools = [getWeather, getTime];

/** What each tool does with arguments that fit its schema. */
const work: Readonly<Record<string, (input: { city: string }) => Promise<unknown>>> = {
  get_weather: async () => weatherNow(),
  get_time: async ({ city }) => ({ city, time: '14:05' }),
};

/** Calls in a row after which the model is not asked again. */
const MAX_ROUNDS = 5;
const TIMEOUT_MS = 120_000;

const [question = 'What is the weather like in Lisbon right now, and what time is it there?'] =
  process.argv.slice(2);
const config = loadConfig(process.env, { readFile: (path) => readFileSync(path, 'utf8') });
const tooLate = setTimeout(() => {
  console.error(`no answer within ${TIMEOUT_MS / 1_000} s; is the service running?`);
  process.exit(1);
}, TIMEOUT_MS);
const exchange = await openExchange(config, createLogger({ level: 'silent' }));
try {
  process.exitCode = await converse();
} finally {
  clearTimeout(tooLate);
  await exchange.close();
}
// kafkajs leaves timers behind that would keep the process alive for a while.
process.exit();

async function converse(): Promise<number> {
  const conversationId = `tool-loop-${randomUUID()}`;
  const messages: MessageInput[] = [{ role: 'user', content: question }];
  console.log(`› ${question}`);

  for (let round = 1; round <= MAX_ROUNDS; round += 1) {
    // 1 Publish everything that was said so far, and wait for the response.
    const requestId = `${conversationId}-${round}`;
    const { response } = await exchange.ask({ requestId, conversationId, messages, tools }, () => undefined);
    const [choice] = response.choices;
    if (response.status !== 'COMPLETED' || choice === undefined) {
      console.error(`${response.error?.code}: ${response.error?.message}`);
      return 1;
    }

    // 2 Words are the end of it.
    if (choice.toolCalls.length === 0) {
      console.log(choice.content ?? choice.refusal ?? '');
      return 0;
    }

    // 3 Run the tools side by side. A result names its call, so that their order does not matter.
    const results: MessageInput[] = [];
    await Promise.all(
      choice.toolCalls.map(async (call) => {
        console.log(`→ ${call.name} ${call.arguments}`);
        const content = JSON.stringify(await run(call));
        console.log(`← ${content}`);
        results.push({ role: 'tool', toolCallId: call.id, content });
      }),
    );

    // 4 The calls as they came, then their results.
    messages.push({ role: 'assistant', content: choice.content, toolCalls: choice.toolCalls }, ...results);
  }
  console.error(`no answer after ${MAX_ROUNDS} rounds of tool calls`);
  return 1;
}

/** A call that does not fit its tool is not run: the model gets the reason and can try again. */
async function run({ name, arguments: input, valid, problems }: ToolCall): Promise<unknown> {
  const tool = work[name];
  if (valid !== true || tool === undefined)
    return { error: problems.map(({ message }) => message).join('; ') };
  return tool(JSON.parse(input));
}
