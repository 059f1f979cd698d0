import { RepeatLimiter } from '../domain/limits/repeat-limiter.ts';
import type { Clock } from '../ports/clock.ts';
import { ProducerDisconnected, RecordRefused, type TopicPartition } from '../ports/kafka.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { HandledRequest } from './outcome/handled-request.ts';
import { laneKey } from './request-entry.ts';

/** After a log line, further lines of its kind are only counted for so long. */
const QUIET_MS = 10_000;
/** Codes of requests that end because of what they ask, not because of the provider. */
const REFUSALS: ReadonlySet<string> = new Set([
  'invalid_request',
  'model_not_found',
  'budget_exceeded',
  'deadline_exceeded',
]);

/**
 * What the pipeline reports, in the log and in counters. Lines that publishers or brokers can repeat at will are logged once per
 * kind and 10 s, with the number of suppressed lines.
 */
export class PipelineLog {
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #metrics: Metrics;
  readonly #limiter = new RepeatLimiter(QUIET_MS);
  /** Lanes that are not open. */
  readonly #openingSince = new Map<string, number>();

  constructor(logger: Logger, clock: Clock, metrics: Metrics) {
    this.#logger = logger;
    this.#clock = clock;
    this.#metrics = metrics;
  }

  deadLetter(fields: TopicPartition & { offset: number; code: string; reason: string }): void {
    const suppressed = this.#take(`dead letter ${fields.code}`);
    if (suppressed !== null) this.#logger.warn({ ...fields, suppressed }, 'dead letter');
  }

  /** The group has assigned partitions. @param rebalanceMs how long joining took */
  assigned(assigned: number, rebalanceMs: number): void {
    this.#logger.info({ partitions: assigned, durationMs: Math.round(rebalanceMs) }, 'partitions assigned');
  }

  /** A lane starts to open. */
  opening(partition: TopicPartition): void {
    this.#openingSince.set(laneKey(partition), this.#clock.monotonic());
  }

  /** A lane can settle from now on. */
  opened(partition: TopicPartition): void {
    this.#metrics.laneOpened();
    const key = laneKey(partition);
    const now = this.#clock.monotonic();
    const durationMs = Math.round(now - (this.#openingSince.get(key) ?? now));
    this.#openingSince.delete(key);
    const suppressed = this.#take(`opened ${key}`);
    if (suppressed !== null) this.#logger.info({ ...partition, durationMs, suppressed }, 'lane opened');
  }

  /** Failed calls are reported by the failure log; poisonous and refused requests only here. */
  finished(requestId: string, handled: HandledRequest, durationMs: number): void {
    const { status, code, model, replayed } = handled;
    this.#metrics.requestFinished({ status, code, model, durationMs });
    if (replayed) this.#metrics.responseReplayed();
    else if (code === 'poison') this.#metrics.poisoned();
    const fields = { requestId, status, code, durationMs: Math.round(durationMs) };
    if (code === 'poison' && !replayed) this.#logger.error(fields, 'request finished');
    else if (code !== null && REFUSALS.has(code) && !replayed) {
      const suppressed = this.#take(`refused ${code}`);
      if (suppressed !== null) this.#logger.info({ ...fields, suppressed }, 'request refused');
    } else this.#logger.debug(fields, 'request finished');
  }

  /** A lane is about to reopen. */
  reopening(partition: TopicPartition, error: unknown): void {
    if (!this.#openingSince.has(laneKey(partition))) this.opening(partition);
    if (error instanceof ProducerDisconnected) {
      this.#logger.info(
        { ...partition, reason: error.message },
        'the producer was disconnected; reopening the lane',
      );
    } else if (error instanceof RecordRefused) {
      const suppressed = this.#take('refused');
      if (suppressed !== null)
        this.#logger.warn(
          { ...partition, reason: error.message, suppressed },
          'a record of the settle transaction was refused; reopening the lane',
        );
    } else {
      const suppressed = this.#take(`in doubt ${laneKey(partition)}`);
      if (suppressed !== null)
        this.#logger.warn(
          { ...partition, err: error, suppressed },
          'settle transaction in doubt; reopening the lane',
        );
    }
  }

  topicRecreated(partition: TopicPartition, requests: number): void {
    this.#logger.warn(
      { ...partition, requests },
      'the topic was deleted and created again; requests of the old one are ended, the new one is read from its start',
    );
  }

  #take(kind: string): number | null {
    return this.#limiter.take(kind, this.#clock.monotonic());
  }
}
