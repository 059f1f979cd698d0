import type {
  CommittedPosition,
  LaneProducer,
  LaneTransport,
  OutboundRecord,
  Settlement,
  TopicPartition,
} from '../../../src/ports/kafka.ts';
import type { FakeLog } from './fake-log.ts';

type Step = 'holds' | 'fence' | 'position';

/**
 * A coordinator for one lane: it keeps what was committed and makes records visible in one step with it. A producer
 * that was fenced or closed can commit nothing. Tests put what they want into the way of each step.
 */
export class FakeLaneTransport implements LaneTransport {
  readonly clusterId: string = 'cluster-a';
  committed: { offset: number | null; metadata: string } = { offset: null, metadata: '' };
  /** The group member that holds the partition. */
  holder: string | null = 'member-1';
  readonly visible: OutboundRecord[] = [];
  readonly settlements: Settlement[] = [];
  readonly steps: Step[] = [];
  readonly asked: string[] = [];
  openProducers = 0;
  /** Called before a step is answered; may wait or throw. */
  before: (step: Step) => Promise<void> | void = () => undefined;
  /** Called before a transaction is committed; may wait or throw. */
  beforeCommit: (settlement: Settlement) => Promise<void> | void = () => undefined;
  /** Called after a commit, before the producer gets its result. May wait or throw. */
  afterCommit: (settlement: Settlement) => Promise<void> | void = () => undefined;
  private readonly log: FakeLog;
  private epoch = 0;

  constructor(log: FakeLog) {
    this.log = log;
  }

  async holds(memberId: string, _partition: TopicPartition): Promise<boolean> {
    this.asked.push(memberId);
    const held = memberId === this.holder;
    await this.step('holds');
    return held;
  }

  async fence(_partition: TopicPartition): Promise<LaneProducer> {
    await this.step('fence');
    this.epoch += 1;
    this.openProducers += 1;
    const epoch = this.epoch;
    let closed = false;
    const settleNow = async (settlement: Settlement) => {
      await this.beforeCommit(settlement);
      if (closed || epoch !== this.epoch) throw new Error('the producer was fenced');
      if (settlement.topicId !== this.log.topicId) throw new Error('the topic was recreated');
      this.committed = { offset: settlement.offset, metadata: settlement.metadata };
      this.visible.push(...settlement.records);
      this.settlements.push(settlement);
      await this.afterCommit(settlement);
      return 0;
    };
    let last: Promise<unknown> = Promise.resolve();
    return {
      settle: (settlement) => {
        const settled = last.then(() => settleNow(settlement));
        last = settled;
        return settled;
      },
      close: async () => {
        if (!closed) this.openProducers -= 1;
        closed = true;
      },
    };
  }

  async committedPosition(_partition: TopicPartition): Promise<CommittedPosition> {
    await this.step('position');
    return { ...this.committed, logStart: this.log.start, logEnd: this.log.end, topicId: this.log.topicId };
  }

  async topicId(_topic: string): Promise<string | null> {
    return this.log.topicId;
  }

  private async step(step: Step): Promise<void> {
    this.steps.push(step);
    await this.before(step);
  }
}
