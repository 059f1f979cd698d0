import { setImmediate as nextTurn, setTimeout as wait } from 'node:timers/promises';
import { TopicFollower } from '../../adapters/kafka/follow/topic-follower.ts';
import type { KafkaConnection } from '../../adapters/kafka/kafkajs/kafka-client.ts';
import type { RecordCodec } from '../../contract/codec.ts';
import { UndecodableRecord } from '../../contract/undecodable-record.ts';
import { RepeatLimiter } from '../../domain/limits/repeat-limiter.ts';
import { type Cancellations, MAX_REMEMBERED, REMEMBERED_MS } from '../../pipeline/intake/cancellations.ts';
import type { Clock } from '../../ports/clock.ts';
import type { FetchedRecords, InboundRecord } from '../../ports/kafka.ts';
import type { Logger } from '../../runtime/logger.ts';
import { doubledMs } from '../../runtime/retry.ts';
import { untilAborted } from '../../runtime/until-aborted.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import { quietWarning } from '../quiet-warning.ts';

/** How long a worker that starts waits at most until it has read what is there. */
const CATCH_UP_MS = 5_000;
const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 15_000;
const QUIET_MS = 10_000;
/** Of ids, tenant and reason there is never more. */
const MAX_VALUE_BYTES = 16_384;
/** Others get a turn of the event loop after so many records. */
const RECORDS_PER_TURN = 500;

export interface CancellationsToFollow {
  readonly settings: KafkaConnection;
  readonly topic: string;
  readonly codec: RecordCodec;
  readonly cancellations: Cancellations;
  readonly metrics: Pick<Metrics, 'cancellation'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface FollowedCancellations {
  /** Resolves when everything that was there at the start has been read; at the latest after some seconds, or the first error. */
  readonly caughtUp: Promise<void>;
  stop(): Promise<void>;
}

/**
 * Reads all cancellations of the last day, and each one that is written from then on. While the topic cannot be read or does not
 * exist, it tries again: the worker goes on without cancellations.
 */
export function followCancellations(options: CancellationsToFollow): FollowedCancellations {
  const reader = new CancellationReader(options);
  const reading = reader.run();
  return {
    caughtUp: reader.caughtUp.promise,
    stop: () => {
      reader.stopping.abort(new Error('the worker is stopping'));
      return reading;
    },
  };
}

class CancellationReader {
  readonly caughtUp = Promise.withResolvers<void>();
  readonly stopping = new AbortController();
  private readonly options: CancellationsToFollow;
  private readonly limiter = new RepeatLimiter(QUIET_MS);
  /** By partition, the offset up to which it has to be read to have caught up. */
  private readonly behind = new Map<number, number>();
  private failures = 0;

  constructor(options: CancellationsToFollow) {
    this.options = options;
  }

  /** Never rejects. */
  async run(): Promise<void> {
    const { clock, logger } = this.options;
    const { signal } = this.stopping;
    const timer = setTimeout(this.caughtUp.resolve, CATCH_UP_MS);
    const warn = quietWarning(logger, clock, 'cancellations cannot be read; trying again');
    while (!signal.aborted) {
      try {
        await this.read();
      } catch (error) {
        if (signal.aborted) break;
        warn(error);
        this.caughtUp.resolve();
        this.failures += 1;
        const delayMs = doubledMs(this.failures, FIRST_DELAY_MS, LONGEST_DELAY_MS);
        await wait(delayMs, undefined, { signal }).catch(() => undefined);
      }
    }
    clearTimeout(timer);
    this.caughtUp.resolve();
  }

  /** Ends with an error alone. */
  private async read(): Promise<void> {
    const { settings, topic, logger } = this.options;
    const { signal } = this.stopping;
    const failed = Promise.withResolvers<never>();
    failed.promise.catch(() => undefined);
    const follower = await TopicFollower.connect({
      settings,
      logger,
      isolationLevel: 'read_committed',
      onFetched: (fetched) => this.take(fetched),
      onFailed: failed.reject,
      signal,
    });
    try {
      const partitions = (await follower.partitionsOf([topic])).get(topic) ?? [];
      if (partitions.length === 0)
        throw new Error(`topic ${topic} does not exist; create it with completion-bus topics create`);
      await this.begin(follower, partitions);
      follower.watchPartitions([topic], (added) => {
        void follower
          .follow(added.map((partition) => ({ ...partition, from: 'start' })))
          .catch(failed.reject);
      });
      await untilAborted(failed.promise, signal);
    } finally {
      await follower.close();
    }
  }

  /** Begins a day back, and no earlier than as many records back as are remembered. */
  private async begin(follower: TopicFollower, partitions: readonly number[]): Promise<void> {
    const { topic, clock } = this.options;
    const since = { timestamp: clock.now() - REMEMBERED_MS };
    const at = (from: 'end' | typeof since) =>
      follower.offsetsOf(partitions.map((partition) => ({ topic, partition, from })));
    const [firsts, ends] = [await at(since), await at('end')];
    const places = partitions.map((partition, index) => {
      const end = ends[index] ?? 0;
      const offset = Math.max(firsts[index] ?? 0, end - MAX_REMEMBERED);
      if (offset < end) this.behind.set(partition, end);
      return { topic, partition, from: { offset } };
    });
    if (this.behind.size === 0) this.caughtUp.resolve();
    await follower.follow(places);
  }

  private async take({ partition, records, nextOffset }: FetchedRecords): Promise<void> {
    this.failures = 0;
    for (const [index, record] of records.entries()) {
      if (index > 0 && index % RECORDS_PER_TURN === 0) await nextTurn();
      const code = this.cancel(record);
      if (code !== null) this.skipped(record, code);
    }
    if (nextOffset >= (this.behind.get(partition) ?? 0)) this.behind.delete(partition);
    if (this.behind.size === 0) this.caughtUp.resolve();
  }

  /** @returns why the record is skipped; null when it is a cancellation */
  private cancel({ value, headers, unreadable }: InboundRecord): string | null {
    if (unreadable !== undefined) return unreadable.code;
    if ((value?.byteLength ?? 0) > MAX_VALUE_BYTES) return 'too_large';
    try {
      const { record } = this.options.codec.decode('CancelRequest', value, headers);
      return this.options.cancellations.add(record) ? null : 'wrong_value';
    } catch (error) {
      return error instanceof UndecodableRecord ? error.code : 'wrong_value';
    }
  }

  private skipped({ topic, partition, offset }: InboundRecord, code: string): void {
    const { metrics, clock, logger } = this.options;
    metrics.cancellation('unreadable');
    const suppressed = this.limiter.take(code, clock.monotonic());
    if (suppressed !== null)
      logger.warn(
        { topic, partition, offset, code, suppressed },
        'a cancellation cannot be read; skipping it',
      );
  }
}
