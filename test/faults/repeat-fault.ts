import { setTimeout as wait } from 'node:timers/promises';
import type { RecordCodec } from '../../src/contract/codec.ts';
import { UndecodableRecord } from '../../src/contract/undecodable-record.ts';
import type { InboundRecord } from '../../src/ports/kafka.ts';
import { World } from '../support/world.ts';
import { checkEvidence } from './checks/check-evidence.ts';
import { type Evidence, groupBy, type RequestRecord } from './checks/evidence.ts';
import { describeRequests } from './describe-requests.ts';
import type { Fault } from './fault.ts';
import { FaultRun } from './fault-run.ts';
import type { Laboratory } from './laboratory.ts';
import { Load } from './load.ts';
import { oneHistory } from './one-history.ts';
import { Progress, type Wanted } from './progress.ts';
import { Random } from './random.ts';
import { readOutputs, readPositions, readRequests } from './read-all.ts';
import type { WorkloadRecord } from './workload.ts';

/** Result of one repetition. */
export interface Repetition {
  readonly fault: string;
  readonly seed: number;
  /** Name of the topics, the group and the workers' log files. */
  readonly name: string;
  readonly requests: number;
  readonly calls: number;
  readonly restarts: number;
  readonly leaseLosses: number;
  readonly seconds: number;
  readonly breaches: readonly string[];
  readonly notes: readonly string[];
}

const RATE_PER_SECOND = 40;
/** Minimum number of published records, however short the fault is. */
const LEAST_RECORDS = 200;
/** Maximum number of unanswered records: ten seconds' worth. */
const MOST_UNANSWERED = 400;
/** Longest time without a new answer. The total time depends on the machine. */
const ANSWER_PATIENCE_MS = 60_000;
const STOP_TIMEOUT_MS = 60_000;
const READ_TIMEOUT_MS = 120_000;
const START_TIMEOUT_MS = 60_000;
const DISTURB_TIMEOUT_MS = 150_000;

const FIRST_TOKEN_TIMEOUT_MS = 3_000;

/** Timeouts short enough for a repetition of a few seconds, in the same proportions as the defaults. */
export const WORKER_ENV = {
  LEASE_MS: '4000',
  KAFKA_SESSION_TIMEOUT: '6s',
  KAFKA_TRANSACTION_TIMEOUT: '6s',
  KAFKA_REQUEST_TIMEOUT: '4s',
  CATALOG_REFRESH: '5s',
  AI_OPENAI_TIMEOUT: '1s',
  AI_OPENAI_FIRST_TOKEN_TIMEOUT: `${FIRST_TOKEN_TIMEOUT_MS}ms`,
  AI_OPENAI_RETRY_DELAY: '50ms',
  DRAIN_TIMEOUT: '20s',
  HTTP_HOST: '127.0.0.1',
};

/** Injects a fault once into a separate service under load, and checks the result. */
export async function repeatFault(fault: Fault, seed: number, laboratory: Laboratory): Promise<Repetition> {
  const beganAt = performance.now();
  const run = await prepare(fault, seed, laboratory);
  let calls = 0;
  try {
    // 1 Start workers, then load, then inject the fault.
    for (let count = 0; count < (fault.workers ?? 2); count += 1) run.spawn();
    await within(
      Promise.all(run.workers.map((worker) => worker.ready)),
      START_TIMEOUT_MS,
      'the workers to start',
    );
    run.note('the workers are ready');
    let disturbed = false;
    const timeoutMs = fault.timeoutMs ?? DISTURB_TIMEOUT_MS;
    const disturbing = within(fault.disturb(run), timeoutMs, `${fault.name} to be over`).finally(() => {
      disturbed = true;
      run.note('the harm is done');
    });
    const publishing = run.load.publishUntil(() => disturbed, {
      perSecond: fault.rate ?? RATE_PER_SECOND,
      least: LEAST_RECORDS,
      isBehind: (published) => published - run.progress.answered >= MOST_UNANSWERED,
    });
    await Promise.all([disturbing, publishing]);
    run.note(`${run.load.published.length} records were published`);

    // 2 Wait for all answers, stop the workers, and only then read all topics.
    calls = await judge(run, fault);
  } catch (error) {
    run.breach(error instanceof Error ? error.message : String(error));
  } finally {
    if (run.breaches.length > 0) await keepBrokers(run, fault, seed);
    await cleanUp(run);
  }
  return {
    fault: fault.name,
    seed,
    name: run.world.config.kafka.groupId,
    requests: run.load.published.length,
    calls,
    restarts: run.restarts,
    leaseLosses: run.leaseLosses,
    seconds: (performance.now() - beganAt) / 1000,
    breaches: run.breaches,
    notes: run.notes,
  };
}

/** Topics, database, provider and publisher of one repetition; no workers yet. */
async function prepare(fault: Fault, seed: number, laboratory: Laboratory): Promise<FaultRun> {
  const random = new Random(seed);
  const cluster = await laboratory.cluster(fault.cluster);
  const mongo = await (fault.hasMongoSet ? laboratory.mongoSet() : laboratory.mongo());
  const world = await World.create({
    brokers: cluster.brokers,
    replication: cluster.replication,
    env: { ...WORKER_ENV, MONGODB_URL: mongo.url, ...fault.env },
  });
  return new FaultRun({
    random: random.fork(),
    laboratory,
    cluster,
    world,
    load: await Load.start(world, random.fork(), fault.workload ?? {}),
    progress: new Progress(world),
    workersMayEnd: fault.workersMayEnd ?? false,
    startMayFail: fault.startMayFail ?? false,
  });
}

/** Adds breaches to the run. @returns the number of provider calls */
async function judge(run: FaultRun, fault: Fault): Promise<number> {
  const { progress } = run;
  const requests = await within(readLog(run), READ_TIMEOUT_MS, 'all requests to be readable');
  const wanted = whatIsWanted(requests);
  const missing = await progress.untilAnswered(wanted, ANSWER_PATIENCE_MS);
  if (missing.length > 0)
    run.breach(`not answered: ${missing.length}, e.g. ${missing.slice(0, 5).join(', ')}`);
  run.note('everything is answered');
  await fault.whenAnswered?.(run);
  run.end();
  await within(run.stopAll(), STOP_TIMEOUT_MS, 'the workers to end after SIGTERM');
  const evidence = await within(gather(run, requests, fault), READ_TIMEOUT_MS, 'all outputs to be readable');
  const breaches = checkEvidence(evidence);
  run.breaches.push(...breaches);
  for (const line of describeRequests(evidence, breaches)) run.note(line);
  return evidence.calls.length;
}

/** Keeps the brokers' logs and their data on groups and transactions, which show whether a defect is theirs or ours. */
async function keepBrokers(run: FaultRun, fault: Fault, seed: number): Promise<void> {
  const { laboratory, world } = run;
  const name = `${fault.name}-${seed}-${world.config.kafka.groupId}`;
  await laboratory.keep(name).then(
    (folder) => run.note(`the brokers' logs: ${folder}`),
    (error: unknown) => run.note(`the brokers' logs were not kept: ${error}`),
  );
}

async function cleanUp(run: FaultRun): Promise<void> {
  run.end();
  for (const part of [run.load, run.progress, run.world]) {
    await part.close().catch((error: unknown) => run.note(`not cleaned up: ${error}`));
  }
}

async function readLog({ world, places }: FaultRun): Promise<RequestRecord[]> {
  const records = await readRequests(places.at(-1) ?? world.config.kafka, world.topics.requests);
  return records.map((record) => asRequest(record, world.codec));
}

/** @throws errors that are not caused by the record's bytes */
function asRequest(record: InboundRecord, codec: RecordCodec): RequestRecord {
  const { partition, offset, value, headers } = record;
  const key = Buffer.from(record.key ?? []).toString();
  try {
    const { requestId } = codec.decode('ChatRequest', value, headers).record;
    return { partition, offset, key, requestId, value, headers };
  } catch (error) {
    if (!(error instanceof UndecodableRecord)) throw error;
    return { partition, offset, key, requestId: null, value, headers };
  }
}

function whatIsWanted(requests: readonly RequestRecord[]): Wanted {
  const responses = new Map<string, number>();
  const dead = new Set<string>();
  for (const { requestId, partition, offset } of requests) {
    if (requestId === null) dead.add(`${partition}/${offset}`);
    else responses.set(requestId, (responses.get(requestId) ?? 0) + 1);
  }
  return { responses, dead };
}

async function gather(run: FaultRun, requests: readonly RequestRecord[], fault: Fault): Promise<Evidence> {
  const { world, load, places } = run;
  const { topics, codec } = world;
  const histories = [];
  for (const settings of places) histories.push(await readOutputs(settings, topics, codec));
  return {
    requests,
    vanished: vanishedFrom(
      requests,
      fault.allows?.lostRecords ? [...load.published, ...load.unacknowledged] : load.published,
    ),
    expected: load.expected,
    ...oneHistory(histories),
    calls: await world.standIn.calls(),
    patienceMs: FIRST_TOKEN_TIMEOUT_MS,
    positions: await readPositions(places.at(-1) ?? world.config.kafka, topics.requests),
    allowances: {
      deaths: run.deaths,
      lostCalls: (fault.allows?.lostCalls ?? false) || run.leaseLosses > 0,
      lostRecords: fault.allows?.lostRecords ?? false,
      refusedAnswers: fault.allows?.refusedAnswers ?? false,
      providerFails: fault.allows?.providerFails ?? false,
    },
  };
}

/** Records published more often than they are in the log. */
function vanishedFrom(
  requests: readonly RequestRecord[],
  published: readonly WorkloadRecord[],
): Evidence['vanished'] {
  const left = groupBy(requests, ({ requestId }) => requestId);
  return published.flatMap(({ key, request }) => {
    const requestId = request?.requestId ?? null;
    return left.get(requestId)?.pop() === undefined ? [{ key, requestId }] : [];
  });
}

/** @throws when it takes longer */
async function within<T>(promise: Promise<T>, timeoutMs: number, what: string): Promise<T> {
  const stop = new AbortController();
  const late = wait(timeoutMs, undefined, { signal: stop.signal }).then(() => {
    throw new Error(`timed out after ${timeoutMs / 1000} s waiting for ${what}`);
  });
  late.catch(() => undefined);
  try {
    return await Promise.race([promise, late]);
  } finally {
    stop.abort();
  }
}
