import { vi } from 'vitest';
import { recordBytes } from '../../../src/pipeline/intake/record-bytes.ts';
import { Lane } from '../../../src/pipeline/lanes/lane.ts';
import type { FinishedRequest, LaneListener } from '../../../src/pipeline/lanes/lane-listener.ts';
import type { InboundRecord, OutboundRecord } from '../../../src/ports/kafka.ts';
import { FakeClock } from '../../support/fakes/fake-clock.ts';
import { FakeLaneTransport } from '../../support/fakes/fake-lane-transport.ts';
import { FakeLog } from '../../support/fakes/fake-log.ts';
import { FakeRequestSource } from '../../support/fakes/fake-request-source.ts';

export function output(offset: number, members: Partial<OutboundRecord> = {}): OutboundRecord {
  return { topic: 'chat.responses', key: String(offset), value: Buffer.alloc(10), headers: {}, ...members };
}

/** A lane between fakes, with the events that its listener received. */
export class LaneBench implements LaneListener {
  readonly log = new FakeLog();
  readonly source = new FakeRequestSource();
  readonly transport: FakeLaneTransport;
  readonly lane: Lane;
  readonly acceptedRecords: InboundRecord[] = [];
  readonly settledOffsets: number[] = [];
  readonly batches: number[][] = [];
  readonly gaps: [number, number][] = [];
  readonly doubts: unknown[] = [];
  readonly haltReasons: string[] = [];
  settledBefore: ((offset: number) => boolean) | null = null;
  /** Whether there is room for another record. */
  room = true;
  /** Called when a record is accepted. */
  onAccepted: (record: InboundRecord) => void = () => undefined;

  constructor(batchMaxBytes = 1_000_000) {
    this.transport = new FakeLaneTransport(this.log);
    this.source.listener = { fetched: (batch) => this.lane.accept(batch) };
    this.lane = new Lane(
      {
        partition: { topic: this.log.topic, partition: this.log.partition },
        source: this.source,
        transport: this.transport,
        listener: this,
        clock: new FakeClock(),
        batchMaxBytes,
        settleSpacingMs: 0,
      },
      'member-1',
    );
  }

  mayAccept(): boolean {
    return this.room;
  }

  accepted(record: InboundRecord): void {
    this.acceptedRecords.push(record);
    this.onAccepted(record);
  }

  settled(_partition: unknown, requests: readonly FinishedRequest[]): void {
    const offsets = requests.map((request) => request.offset);
    this.settledOffsets.push(...offsets);
    this.batches.push(offsets);
  }

  /** Requests that continue from before a commit in doubt. */
  knownRecords: InboundRecord[] = [];

  known(_partition: unknown, from: number, to: number): InboundRecord[] {
    return this.knownRecords.filter(({ offset }) => offset >= from && offset <= to);
  }

  gap(_partition: unknown, from: number, to: number): void {
    this.gaps.push([from, to]);
  }

  /** The topics that the lane was opened for, in order. */
  readonly topicIds: (string | null)[] = [];

  opened(_partition: unknown, topicId: string | null, isSettled: (offset: number) => boolean): void {
    this.topicIds.push(topicId);
    this.settledBefore = isSettled;
  }

  halted(_partition: unknown, reason: string): void {
    this.haltReasons.push(reason);
  }

  inDoubt(_partition: unknown, error: unknown): void {
    this.doubts.push(error);
  }

  get acceptedOffsets(): number[] {
    return this.acceptedRecords.map((record) => record.offset);
  }

  /** Keys of the records that consumers see, as offsets. */
  get visibleOffsets(): number[] {
    return this.transport.visible.map((record) => Number(record.key));
  }

  async open(): Promise<void> {
    this.lane.start();
    await this.reach(() => this.lane.state === 'open');
  }

  /** Waits until a condition holds. */
  async reach(isSo: () => boolean): Promise<void> {
    await vi.waitUntil(isSo, { interval: 1, timeout: 3_000 });
  }

  fetchOnce(most: number): void {
    this.source.fetch(this.log, most);
  }

  fetch(): void {
    this.source.fetchAll(this.log);
  }

  finish(offset: number, members: Partial<FinishedRequest> = {}): void {
    const records = members.records ?? [output(offset)];
    this.lane.finish({
      offset,
      records,
      recordBytes: records.map(recordBytes),
      finishedAt: 0,
      refused: () => undefined,
      ...members,
    });
  }

  /** From now on every request finishes as soon as it is accepted, also when it is redelivered. */
  finishAtOnce(): void {
    this.onAccepted = (record) => this.finish(record.offset);
  }
}
