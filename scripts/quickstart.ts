/** `npm run quickstart`: from a fresh clone to an answer streamed through Kafka, and its exact cost, in one command. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { loadConfig } from '../src/config/load-config.ts';
import { createLogger } from '../src/runtime/logger.ts';
import { startTelemetry } from '../src/telemetry/start.ts';
import { startStandIn } from '../test/support/stand-in/start-stand-in.ts';
import { ConversationView } from './quickstart/conversation-view.ts';
import { conversations, hold } from './quickstart/conversations.ts';
import { type Answered, type Exchange, openExchange } from './quickstart/exchange.ts';
import { loadCatalog, prepareTopics } from './quickstart/prepare.ts';
import {
  hasApiKey,
  hasTraceBackend,
  NAME,
  serviceEnvironment,
  traceSettings,
} from './quickstart/settings.ts';
import { startService } from './quickstart/start-service.ts';
import { step } from './quickstart/steps.ts';
import { printCosts, printResponses } from './quickstart/summary.ts';
import { heading, paint, print } from './quickstart/terminal.ts';
import { startTraceReceiver, type TraceReceiver } from './quickstart/trace-receiver.ts';
import { traceTree } from './quickstart/trace-tree.ts';
import { stackUp } from './stack/stack.ts';

const CONVERSATIONS_TIMEOUT_MS = 180_000;
const TRACE_TIMEOUT_MS = 10_000;
/** Slow enough to read along. */
const STAND_IN_PACE = { firstTokenMs: 250, gapMs: 30 };
const MODEL_OF_ALL = process.env['AI_DEFAULT_MODEL'];

const startedAt = performance.now();
const seconds = () => `${((performance.now() - startedAt) / 1000).toFixed(1)} s`;
const logger = createLogger({ level: 'silent' });
/** Stop functions of everything started, newest first. */
const stops: (() => Promise<void>)[] = [];
const stopAll = async () => {
  for (const stop of stops.splice(0)) await stop();
};

stopOnSignals();
try {
  process.exitCode = await quickstart();
} catch (error) {
  print();
  print(paint('red', `The quickstart failed: ${error instanceof Error ? error.message : String(error)}`));
  process.exitCode = 1;
}
await stopAll();
// kafkajs leaves timers behind that would delay the exit.
process.exit();

async function quickstart(): Promise<number> {
  print();
  print(
    `${paint('bold', 'completion-bus')}  ${paint('dim', 'chat requests in, streamed answers and exact costs out')}`,
  );
  print();

  // 1 Receive spans here, unless the user has a trace backend. Each trace starts with a span of the quickstart.
  const receiver = hasTraceBackend(process.env) ? null : await startTraceReceiver();
  if (receiver !== null) {
    stops.unshift(() => receiver.close());
    Object.assign(process.env, traceSettings(receiver.url));
  }
  const telemetry = startTelemetry({ serviceName: NAME, serviceVersion: packageVersion(), env: process.env });
  stops.unshift(() => telemetry.shutdown());

  // 2 Start Kafka, MongoDB and a model server, and prepare topics, models and prices.
  const stack = await step('stack', async (tell) => {
    const value = await stackUp({ onProgress: tell });
    const mongodb = new URL(value.mongodbUrl).host;
    return { value, detail: `Kafka ${value.kafkaBrokers.join(',')}, MongoDB ${mongodb}` };
  });
  const env = await step('model', async () => {
    if (hasApiKey(process.env)) {
      const value = serviceEnvironment(process.env, stack, null);
      return { value, detail: `the real API, ${value['AI_OPENAI_BASE_URL'] || 'https://api.openai.com/v1'}` };
    }
    const standIn = await startStandIn({ defaultScript: STAND_IN_PACE });
    stops.unshift(() => standIn.close());
    const remark = 'For real answers: AI_OPENAI_API_KEY=… npm run quickstart';
    return {
      value: serviceEnvironment(process.env, stack, standIn.url),
      detail: `a stand-in for OpenAI with invented answers\n${remark}`,
    };
  });
  const config = loadConfig(env, { readFile: (path) => readFileSync(path, 'utf8') });
  await step('topics', async () => ({ value: null, detail: await prepareTopics(config, logger) }));
  await step('catalog', async () => ({ value: null, detail: await loadCatalog(config) }));

  // 3 Start the service, and a client that talks to it only through Kafka.
  const service = await step('service', async () => {
    const value = await startService(env, (stop) => stops.unshift(stop));
    return { value, detail: `ready; /readyz and /metrics on http://127.0.0.1:${value.httpPort}` };
  });
  const exchange = await openExchange(config, logger);
  stops.unshift(() => exchange.close());

  // 4 Hold two conversations at the same time.
  heading('Two conversations at once', `${NAME}.requests → ${NAME}.chunks`);
  const outcomes = await Promise.race([holdConversations(exchange), service.failed, timeout()]);

  // 5 Print responses, costs and a trace.
  heading('Responses', `${NAME}.responses: status, tokens, first chunk and total time`);
  printResponses(outcomes);
  heading('Costs', `${NAME}.costs: one exact event for each request`);
  printCosts(outcomes);
  await printTrace(receiver, outcomes);

  // 6 Stop, and print the next steps.
  await stopAll();
  const failed = outcomes.filter(({ response }) => response.status !== 'COMPLETED').length;
  printEnd(failed);
  return failed === 0 ? 0 : 1;
}

async function holdConversations(exchange: Exchange): Promise<Answered[]> {
  const run = randomBytes(2).toString('hex');
  const view = new ConversationView(
    conversations.map(({ name, model }) => ({ name, title: `${name} · ${MODEL_OF_ALL ?? model}` })),
  );
  const outcomes = await Promise.all(
    conversations.map((conversation) =>
      hold(conversation, exchange, view.speaker(conversation.name), run, MODEL_OF_ALL),
    ),
  );
  view.finish();
  return outcomes.flat();
}

async function printTrace(receiver: TraceReceiver | null, outcomes: readonly Answered[]): Promise<void> {
  const last = outcomes.at(-1);
  if (last === undefined) return;
  const { traceId, response } = last;
  heading('Trace', `${traceId} of ${response.requestId}`);
  if (receiver === null) {
    const { OTEL_TRACES_EXPORTER: exporter, OTEL_EXPORTER_OTLP_ENDPOINT: endpoint } = process.env;
    print(`  sent to the backend of your OTEL_* variables: ${endpoint ?? exporter ?? 'OTLP'}`);
    return;
  }
  const expected = [`send ${NAME}.requests`, 'process ', 'chat ', `send ${NAME}.responses`];
  const spans = await receiver.trace(traceId, expected, TRACE_TIMEOUT_MS);
  if (spans.length === 0) print('  received no span of this trace (is OTEL_SDK_DISABLED set?)');
  else for (const line of traceTree(spans)) print(line);
  print();
  print(paint('dim', '  Your trace backend: OTEL_EXPORTER_OTLP_ENDPOINT=http://… npm run quickstart'));
}

function printEnd(failed: number): void {
  heading('Next');
  for (const [step, where] of [
    ['Serve, and chat from the command line', 'README.md, "Run it"'],
    ['Produce and consume in your own program', 'README.md, "Use it"; docs/contract.md'],
    ['See the guarantees hold under crashes', 'npm test'],
  ] as const) {
    print(`  ${step.padEnd(39)}  ${paint('cyan', where)}`);
  }
  print();
  if (failed === 0) print(`${paint('green', `Done in ${seconds()}.`)} The service is stopped.`);
  else print(paint('red', `${failed} requests failed. Their errors are above.`));
  print(`Kafka and MongoDB keep running; ${paint('cyan', 'npm run stack -- down')} stops them.`);
}

async function timeout(): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  const text = `the conversations did not finish within ${CONVERSATIONS_TIMEOUT_MS / 1000} s`;
  setTimeout(() => reject(new Error(text)), CONVERSATIONS_TIMEOUT_MS).unref();
  return promise;
}

/** Ctrl-C stops everything in order. A second Ctrl-C exits immediately. */
function stopOnSignals(): void {
  let signals = 0;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      const exit = () => process.exit(128 + constants.signals[signal]);
      signals += 1;
      if (signals > 1) exit();
      print();
      print('Stopping …');
      void stopAll().finally(exit);
    });
  }
}

function packageVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
