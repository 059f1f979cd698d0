import type { LaneTransport } from '../ports/kafka.ts';
import type { Lane } from './lanes/lane.ts';

const EVERY_MS = 5_000;

/** Reports the current topic id to lanes. A lane that fetches and settles nothing would not notice a recreated topic. */
export class TopicWatch {
  private readonly transport: Pick<LaneTransport, 'topicId'>;
  private readonly lanes: () => Iterable<Lane>;
  private readonly timer: NodeJS.Timeout;

  constructor(transport: Pick<LaneTransport, 'topicId'>, lanes: () => Iterable<Lane>) {
    this.transport = transport;
    this.lanes = lanes;
    this.timer = setInterval(() => this.look(), EVERY_MS);
    // It must not keep an otherwise idle process alive.
    this.timer.unref();
  }

  /** Checks now. */
  look(): void {
    const topics = new Set([...this.lanes()].map(({ partition }) => partition.topic));
    for (const topic of topics) {
      // A missing topic has no id; opening lanes report that.
      this.transport.topicId(topic).then(
        (id) => this.tell(topic, id),
        () => undefined,
      );
    }
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private tell(topic: string, id: string | null): void {
    for (const lane of this.lanes()) if (lane.partition.topic === topic) lane.topicIs(id);
  }
}
