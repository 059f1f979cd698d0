import { internalFailure } from '../domain/failures/refusals.ts';
import {
  type FetchedRecords,
  type InboundRecord,
  type OutboundRecord,
  ProducerDisconnected,
  RecordRefused,
  type RequestSourceListener,
  type TopicPartition,
} from '../ports/kafka.ts';
import type { Admission } from './admission/admission.ts';
import type { Seat } from './admission/slots.ts';
import { giveUpPublishing } from './give-up-publishing.ts';
import type { OutcomeOptions } from './handling/conclude-request.ts';
import { handleUntilEnded, type RequestOnItsWay } from './handling/handle-until-ended.ts';
import { HandlingStopped } from './handling/handling-stopped.ts';
import { type AcceptedRequest, asUndecodable, decodeRequest } from './intake/decode-request.ts';
import { IntakeLimits } from './intake/intake-limits.ts';
import { MemoryBudget } from './intake/memory-budget.ts';
import { countStates, LaneGauges } from './lane-gauges.ts';
import { Lane, type LaneState } from './lanes/lane.ts';
import type { FinishedRequest, LaneListener, SettleTimes } from './lanes/lane-listener.ts';
import { isOther } from './lanes/starting-snapshot.ts';
import type { HandledRequest } from './outcome/handled-request.ts';
import type { OutcomeForms } from './outcome/outcome-forms.ts';
import { type ReplyRequest, replyRecord } from './outcome/reply-record.ts';
import { PipelineLog } from './pipeline-log.ts';
import type { PipelineOptions } from './pipeline-options.ts';
import { RequestEntries } from './request-entries.ts';
import { entryId, laneKey, RequestEntry } from './request-entry.ts';
import { TopicWatch } from './topic-watch.ts';

/**
 * The request flow: fetched records pass through here, in the order of the steps below. The pipeline owns what runs; the lanes
 * own what is settled.
 */
export class Pipeline implements RequestSourceListener, LaneListener {
  private readonly options: PipelineOptions;
  private readonly lanes = new Map<string, Lane>();
  private readonly entries = new RequestEntries();
  /** The topic id of each partition's entries. */
  private readonly topicIds = new Map<string, string | null>();
  private readonly topicWatch: TopicWatch;
  private readonly limits: IntakeLimits;
  private readonly memory: MemoryBudget;
  private readonly log: PipelineLog;
  /** With the clock, the metrics and the logger of the whole pipeline. */
  private readonly outcomes: OutcomeOptions;
  private readonly admission: Admission;
  private readonly gauges = new LaneGauges();
  private assignedOnce = false;

  constructor(options: PipelineOptions) {
    this.options = options;
    this.admission = options.handler.admission;
    this.outcomes = options.handler.outcomes;
    this.topicWatch = new TopicWatch(options.transport, () => this.lanes.values());
    const { maxInFlight, maxInFlightBytes } = options.limits;
    this.memory = new MemoryBudget(maxInFlightBytes);
    this.log = new PipelineLog(this.outcomes.logger, this.outcomes.clock, this.outcomes.metrics);
    // Some accepted requests beyond the running ones keep the scheduler busy while the next ones are fetched.
    this.limits = new IntakeLimits({
      maxRequests: maxInFlight + Math.max(100, Math.floor(maxInFlight / 2)),
      maxBytes: this.memory.maxRequestBytes,
    });
  }

  /** Whether the group has given this member an assignment, even an empty one. */
  get wasAssigned(): boolean {
    return this.assignedOnce;
  }

  get inFlight(): number {
    return this.entries.size;
  }

  /** Bytes of accepted requests, their answers and their outcomes. */
  get inFlightBytes(): number {
    return this.memory.bytes;
  }

  /** Calls and streams that wait for memory. */
  get waitingForMemory(): number {
    return this.memory.waitingCount;
  }

  /** How long the oldest outcome has waited to be settled by an open lane; null if none waits. */
  oldestUnsettledMs(): number | null {
    const since = this.entries.oldestFinishedAt((key) => {
      const lane = this.lanes.get(key);
      return lane !== undefined && lane.state !== 'halted';
    });
    return since === null ? null : this.outcomes.clock.monotonic() - since;
  }

  get pausedPartitions(): number {
    return [...this.lanes.values()].filter((lane) => lane.isPaused).length;
  }

  get tasks() {
    return this.admission.counts;
  }

  laneGauges() {
    return this.gauges.read(this.lanes, this.entries.all, this.outcomes.clock.monotonic());
  }

  laneStates(): Record<LaneState, number> {
    return countStates(this.lanes.values());
  }

  /* ---------- 1 Intake: partitions come and go, records are fetched ---------- */

  assigned(memberId: string, partitions: readonly TopicPartition[], rebalanceMs = 0): void {
    this.assignedOnce = true;
    const assigned = new Map(partitions.map((partition) => [laneKey(partition), partition]));
    this.loseLanesOutside(assigned);
    for (const [key, partition] of assigned) {
      const lane = this.lanes.get(key);
      if (lane !== undefined && (lane.state === 'open' || lane.state === 'opening'))
        lane.reassigned(memberId);
      else this.openLane(key, partition, memberId);
    }
    this.log.assigned(partitions.length, rebalanceMs);
    this.topicWatch.look();
  }

  fetched(batch: FetchedRecords): boolean {
    this.gauges.fetched(batch);
    return this.lanes.get(laneKey(batch))?.accept(batch) ?? false;
  }

  interrupted(error: Error): void {
    this.outcomes.logger.warn({ err: error }, 'Kafka consumer interrupted; rejoining the group');
    this.loseLanesOutside(new Map());
  }

  crashed(error: Error): void {
    this.closeLanes();
    this.options.onCrash(error);
  }

  private loseLanesOutside(assigned: ReadonlyMap<string, TopicPartition>): void {
    for (const [key, lane] of this.lanes) {
      if (assigned.has(key)) continue;
      lane.close();
      this.lanes.delete(key);
      this.dropWaiting(lane.partition);
    }
  }

  private openLane(key: string, partition: TopicPartition, memberId: string): void {
    const { source, transport, limits } = this.options;
    const { batchMaxBytes, settleSpacingMs } = limits;
    const { clock } = this.outcomes;
    const lane = new Lane(
      { partition, source, transport, listener: this, clock, batchMaxBytes, settleSpacingMs },
      memberId,
    );
    this.lanes.set(key, lane);
    this.log.opening(partition);
    if (this.admission.draining.aborted) lane.drain();
    lane.start();
  }

  private closeLanes(): void {
    for (const lane of this.lanes.values()) lane.close();
    this.lanes.clear();
  }

  /* ---------- 2 Decode and schedule by key ---------- */

  accepted(record: InboundRecord): void {
    const known = this.entries.at(record);
    if (known !== undefined) {
      // Redelivered after a doubt or a rejoin while its work continues here: attach to it, do not run it twice.
      if (known.finished !== null) this.lanes.get(laneKey(record))?.finish(known.finished);
      return;
    }
    if (this.admission.draining.aborted) return;
    const entry = new RequestEntry(record, this.memory, this.outcomes.clock.monotonic());
    this.entries.add(entry);
    this.limits.add(entry.lane, entry.bytes);
    try {
      const accepted = decodeRequest(record, this.options.decode);
      this.limits.grow(entry.decoded(accepted, this.options.cancellations));
      const task = entry.taskOf(accepted, this.outcomes.clock.now());
      this.admission.schedule({ ...task, run: (seat) => this.run(entry, seat) });
    } catch (error) {
      this.deadLetter(entry, asUndecodable(error));
    }
  }

  private deadLetter(entry: RequestEntry, reason: { readonly code: string; readonly message: string }): void {
    const { topic, partition, offset } = entry.record;
    const { outputs } = this.outcomes;
    this.outcomes.metrics.deadLetter(reason.code);
    this.log.deadLetter({ topic, partition, offset, code: reason.code, reason: reason.message });
    const letter = outputs.dead(entry.record, reason);
    this.finish(entry, [
      [letter],
      () => [outputs.deadWithoutValue(letter)],
      () => [outputs.deadMinimal(letter)],
    ]);
  }

  /* ---------- 3 to 6 Handle: claim, call, fold, outcome (handle-request.ts) ---------- */

  /** Never rejects: every request ends as a response, a bill or a dead letter. */
  private async run(entry: RequestEntry, seat: Seat): Promise<void> {
    // While it was queued, its partition was reassigned or the service started to stop.
    if (entry.accepted === null || !this.entries.has(entry) || this.admission.draining.aborted)
      return this.forget(entry);
    try {
      await this.handle(entry, entry.accepted, seat);
    } catch (error) {
      this.outcomes.logger.error(
        { err: error, place: entryId(entry.record) },
        'response cannot be written; sending the request to the dead-letter topic',
      );
      this.deadLetter(entry, { code: 'internal', message: internalFailure().message });
    }
  }

  private async handle(entry: RequestEntry, accepted: AcceptedRequest, seat: Seat): Promise<void> {
    const { clock, outputs } = this.outcomes;
    const job = {
      accepted,
      acceptedAt: clock.now(),
      acceptedMonotonic: clock.monotonic(),
      trace: entry.begin(accepted, outputs.groupId),
      memory: entry.memory,
      seat,
      cancelled: entry.cancelled,
    };
    const handled = await handleUntilEnded(job, this.options.handler, entry.signal);
    if (handled === null) this.forget(entry);
    else this.ended(entry, job, handled);
  }

  private ended(entry: RequestEntry, job: RequestOnItsWay, handled: HandledRequest): void {
    // Forgotten meanwhile: the request is redelivered, and must not have a second outcome beside this one.
    if (!this.entries.has(entry)) return;
    const { clock, outputs } = this.outcomes;
    const { requestId, tenantId } = job.accepted.request;
    entry.ended(handled, { requestId, tenantId }, outputs.topics.responses, job.trace);
    this.log.finished(requestId, handled, clock.monotonic() - job.acceptedMonotonic);
    const { records, recordsIfRefused, recordsOfLastResort, bill } = handled;
    this.finish(entry, [records, recordsIfRefused, recordsOfLastResort], bill);
  }

  /* ---------- 7 Settle: outcomes become visible (lane.ts) ---------- */

  /** @param forms of the outcome: if a broker refuses one permanently, the next one is published */
  private finish(entry: RequestEntry, forms: OutcomeForms, bill: OutboundRecord | null = null): void {
    if (!this.entries.has(entry)) return;
    const finishedAt = this.outcomes.clock.monotonic();
    entry.offer(forms, this.outcomes, finishedAt, () => {
      void giveUpPublishing(entry, bill, this.options.handler).then((rest) => this.finish(entry, rest));
    });
    const lane = this.lanes.get(entry.lane);
    if (lane === undefined || lane.state === 'halted') this.forgetFinished(entry.record);
    else if (entry.finished !== null) lane.finish(entry.finished);
  }

  settled(partition: TopicPartition, requests: readonly FinishedRequest[], times: SettleTimes): void {
    const { metrics } = this.outcomes;
    metrics.settled({ requests: requests.length, durationMs: times.visibleAt - times.began });
    const inLedger = [];
    for (const { offset, finishedAt, records } of requests) {
      metrics.outcomeVisible(times.visibleAt - finishedAt);
      const entry = this.entries.at({ ...partition, offset });
      if (entry === undefined) continue;
      this.forget(entry);
      if (entry.reply !== null) this.reply(entry.reply, records);
      if (entry.inLedger !== null) inLedger.push({ identity: entry.inLedger, source: entry.record });
    }
    // Only an optimization for a group whose offsets are lost: its failure changes nothing.
    if (inLedger.length > 0)
      void this.options.handler.claims.ledger.markSettled(inLedger).catch(() => undefined);
  }

  /** Sent outside of the transaction, once it is committed. If it is lost, the response is still in its topic. */
  private reply(to: ReplyRequest, settled: readonly OutboundRecord[]): void {
    const { chunks, outputs } = this.outcomes;
    const record = replyRecord(to, settled, outputs.topics.responses);
    if (record === null) return;
    const { requestId, tenantId } = to;
    chunks.announce({ requestId, tenantId, attempt: null }, () => record);
  }

  opened(partition: TopicPartition, topicId: string | null, isSettled: (offset: number) => boolean): void {
    const key = laneKey(partition);
    if (isOther(this.topicIds.get(key) ?? null, topicId)) this.dropOldTopic(partition);
    this.topicIds.set(key, topicId);
    this.log.opened(partition);
    // Committed although it seemed to fail, or settled by another worker: it is never redelivered.
    for (const entry of this.entries.of(partition)) if (isSettled(entry.record.offset)) this.forget(entry);
  }

  private dropOldTopic(partition: TopicPartition): void {
    const entries = this.entries.of(partition);
    this.log.topicRecreated(partition, entries.length);
    for (const entry of entries) {
      entry.stop(new HandlingStopped('the topic was deleted and created again'));
      this.forget(entry);
    }
  }

  gap(partition: TopicPartition, from: number, to: number): void {
    this.outcomes.logger.warn(
      { ...partition, from, to },
      'the log has no records here: transaction markers, or deleted',
    );
  }

  known(partition: TopicPartition, from: number, to: number): InboundRecord[] {
    return this.entries.recordsOf(partition, from, to);
  }

  halted(partition: TopicPartition, reason: string): void {
    this.outcomes.logger.error({ ...partition, reason }, 'partition halted; it needs an operator');
    this.dropWaiting(partition);
  }

  inDoubt(partition: TopicPartition, error: unknown): void {
    if (!(error instanceof ProducerDisconnected) && !(error instanceof RecordRefused))
      this.outcomes.metrics.settleInDoubt();
    this.log.reopening(partition, error);
  }

  /* ---------- Limits, drain, start over ---------- */

  mayAccept(record: InboundRecord): boolean {
    const key = laneKey(record);
    const hasRoom = this.memory.mayAccept && this.limits.budget(key) > 0;
    if (hasRoom || this.entries.at(record) !== undefined) return true;
    this.limits.refused(key);
    return false;
  }

  private resumeLanes(): void {
    if (!this.memory.mayResume) return;
    for (const key of this.limits.takeResumable()) this.lanes.get(key)?.resumeIntake();
  }

  /**
   * Accepts nothing new, and finishes and settles what runs. After `timeoutMs` it ends the rest without an outcome. The lanes
   * are closed afterwards; the caller leaves the group last.
   */
  async drain(timeoutMs: number): Promise<void> {
    this.topicWatch.stop();
    this.admission.drain(new HandlingStopped('the service is stopping'));
    this.options.source.advertiseDraining();
    for (const lane of this.lanes.values()) lane.drain();
    await this.entries.untilEmpty(timeoutMs);
    if (this.entries.size > 0) {
      const left = { requests: this.entries.size, ...this.admission.counts };
      this.outcomes.logger.warn(left, 'drain timeout; ending the requests that still run');
      this.abortAll(new HandlingStopped('the service is stopping'));
      await this.entries.untilEmpty(5_000);
    }
    this.closeLanes();
  }

  /** Other workers may own everything that was claimed: ends all requests, releases their claims and reopens the lanes. */
  startOver(reason: string): void {
    this.abortAll(new HandlingStopped(reason));
    for (const entry of this.entries.all) this.forget(entry);
    for (const lane of this.lanes.values()) lane.reopen();
  }

  private abortAll(reason: HandlingStopped): void {
    for (const entry of this.entries.all) entry.stop(reason);
  }

  /** Requests of a lost partition that have not started belong to its new owner. Running ones finish into the ledger. */
  private dropWaiting(partition: TopicPartition): void {
    for (const entry of this.entries.of(partition)) if (!entry.hasBegun) this.forget(entry);
    this.forgetFinished(partition);
  }

  /**
   * Keeps finished requests of a lost partition while anything of it runs. Otherwise, if the partition came back, a forgotten
   * request would queue behind a later, running one of its key and be answered after it.
   */
  private forgetFinished(partition: TopicPartition): void {
    const left = this.entries.of(partition);
    if (left.every(({ finished }) => finished !== null)) for (const entry of left) this.forget(entry);
  }

  private forget(entry: RequestEntry): void {
    if (!this.entries.remove(entry)) return;
    this.limits.remove(entry.lane, entry.bytes);
    entry.close();
    this.resumeLanes();
  }
}
