import { RepeatLimiter } from '../domain/repeat-limiter.ts';
import type { Logger } from '../logger.ts';
import { type Clock, ProducerDisconnected, RecordRefused, type TopicPartition } from '../ports.ts';

/** How long lines of a kind are only counted after one was logged. */
const QUIET_MS = 10_000;

/** What publishers can repeat at their own rate is logged once per kind and 10 s, with the number of suppressed lines. */
export class PipelineLog {
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #limiter = new RepeatLimiter(QUIET_MS);

  constructor(logger: Logger, clock: Clock) {
    this.#logger = logger;
    this.#clock = clock;
  }

  deadLetter(fields: TopicPartition & { offset: number; code: string; reason: string }): void {
    const suppressed = this.#take(`dead letter ${fields.code}`);
    if (suppressed !== null) this.#logger.warn({ ...fields, suppressed }, 'dead letter');
  }

  /** A lane is about to open again. */
  reopening(partition: TopicPartition, error: unknown): void {
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
    } else this.#logger.warn({ ...partition, err: error }, 'settle transaction in doubt; reopening the lane');
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
