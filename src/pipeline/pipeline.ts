import { internalFailure } from '../domain/refusals.ts';
import {
  type FetchedRecords,
  type InboundRecord,
  ProducerDisconnected,
  RecordRefused,
  type RequestSourceListener,
  type TopicPartition,
} from '../ports.ts';
import { recordFailure, startPublishSpan } from '../telemetry.ts';
import { type AcceptedRequest, asUndecodable, decodeRequest } from './decode-request.ts';
import type { HandlerOptions } from './handle-request.ts';
import { handleUntilEnded, type RequestOnItsWay } from './handle-until-ended.ts';
import type { HandledRequest } from './handled-request.ts';
import { HandlingStopped } from './handling-stopped.ts';
import { IntakeLimits } from './intake-limits.ts';
import { Lane, type LaneState } from './lane.ts';
import { countStates, LaneGauges } from './lane-gauges.ts';
import type { FinishedRequest, LaneListener, SettleTimes } from './lane-listener.ts';
import { MemoryBudget } from './memory-budget.ts';
import { type OutcomeForms, offerOutcome } from './offer-outcome.ts';
import { PipelineLog } from './pipeline-log.ts';
import type { PipelineOptions } from './pipeline-options.ts';
import { RequestEntries } from './request-entries.ts';
import { countDecoded, laneKey, newEntry, type RequestEntry, startTrace } from './request-entry.ts';
import { Scheduler } from './scheduler.ts';
import { isOther } from './starting-snapshot.ts';
import { TopicWatch } from './topic-watch.ts';

/** A request that waits for another worker's may run for long: whoever wants to be alone does not wait for it for ever. */
const LONGEST_WAIT_TO_BE_ALONE_MS = 30_000;

/**
 * The way of every request: fetched records go through here, in the order of the steps below. It owns what runs; the
 * lanes own what is settled.
 */
export class Pipeline implements RequestSourceListener, LaneListener {
  private readonly options: PipelineOptions;
  private readonly scheduler: Scheduler;
  private readonly lanes = new Map<string, Lane>();
  private readonly entries = new RequestEntries();
  /** The topic that each partition's entries are of. */
  private readonly topicIds = new Map<string, string | null>();
  private readonly topicWatch: TopicWatch;
  private readonly limits: IntakeLimits;
  private readonly memory: MemoryBudget;
  private readonly log: PipelineLog;
  private readonly handlerOptions: HandlerOptions;
  private readonly gauges = new LaneGauges();
  private assignedOnce = false;
  private readonly drainBegun = new AbortController();

  constructor(options: PipelineOptions) {
    this.options = options;
    this.scheduler = new Scheduler({ maxRunning: options.maxInFlight, weightOf: options.tenantWeight });
    this.handlerOptions = {
      ...options.handler,
      logger: options.logger,
      runAlone: () => this.scheduler.alone(LONGEST_WAIT_TO_BE_ALONE_MS),
      park: () => this.scheduler.park(),
      draining: this.drainBegun.signal,
    };
    this.topicWatch = new TopicWatch(options.transport, () => this.lanes.values());
    this.memory = new MemoryBudget(options.maxInFlightBytes);
    this.log = new PipelineLog(options.logger, options.handler.clock, options.metrics);
    // Some accepted requests beyond those that run keep the scheduler busy while the next ones are fetched.
    this.limits = new IntakeLimits({
      maxRequests: options.maxInFlight + Math.max(100, Math.floor(options.maxInFlight / 2)),
      maxBytes: this.memory.maxRequestBytes,
    });
  }

  /** Whether the group has given this member an assignment, be it an empty one. */
  get wasAssigned(): boolean {
    return this.assignedOnce;
  }

  get inFlight(): number {
    return this.entries.size;
  }

  /** Of accepted requests, their answers and their outcomes. */
  get inFlightBytes(): number {
    return this.memory.bytes;
  }

  /** Calls and streams that wait for memory. */
  get waitingForMemory(): number {
    return this.memory.waitingCount;
  }

  /** How long the oldest outcome waits to be settled by a lane that is there; null when none waits. */
  oldestUnsettledMs(): number | null {
    const since = this.entries.oldestFinishedAt((partition) => {
      const lane = this.lanes.get(laneKey(partition));
      return lane !== undefined && lane.state !== 'halted';
    });
    return since === null ? null : this.options.handler.clock.monotonic() - since;
  }

  get pausedPartitions(): number {
    return [...this.lanes.values()].filter((lane) => lane.isPaused).length;
  }

  get tasks() {
    return this.scheduler.counts;
  }

  laneGauges() {
    return this.gauges.read(this.lanes, this.entries.all, this.options.handler.clock.monotonic());
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
    this.options.logger.warn({ err: error }, 'the Kafka consumer was interrupted; joining the group again');
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
    const { source, transport, handler, batchMaxBytes, settleSpacingMs } = this.options;
    const { clock } = handler;
    const lane = new Lane(
      { partition, source, transport, listener: this, clock, batchMaxBytes, settleSpacingMs },
      memberId,
    );
    this.lanes.set(key, lane);
    this.log.opening(partition);
    if (this.drainBegun.signal.aborted) lane.drain();
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
      // Delivered again after a doubt or a rejoin while its work goes on here: attach, do not run it twice.
      if (known.finished !== null) this.lanes.get(laneKey(record))?.finish(known.finished);
      return;
    }
    if (this.drainBegun.signal.aborted) return;
    const entry = newEntry(record, this.memory, this.options.handler.clock.monotonic());
    this.entries.add(entry);
    this.limits.add(laneKey(record), entry.bytes);
    try {
      entry.accepted = decodeRequest(record, this.options.decode);
      this.limits.grow(countDecoded(entry, entry.accepted.request));
      const key = `${laneKey(record)}/${entry.accepted.orderKey}`;
      const owner = entry.accepted.request.tenantId;
      this.scheduler.schedule({ key, owner, run: () => this.run(entry) });
    } catch (error) {
      this.deadLetter(entry, asUndecodable(error));
    }
  }

  private deadLetter(entry: RequestEntry, reason: { readonly code: string; readonly message: string }): void {
    const { topic, partition, offset } = entry.record;
    const { handler } = this.options;
    this.options.metrics.deadLetter(reason.code);
    this.log.deadLetter({ topic, partition, offset, code: reason.code, reason: reason.message });
    const letter = handler.outputs.dead(entry.record, reason);
    this.finish(entry, [
      [letter],
      () => [handler.outputs.deadWithoutValue(letter)],
      () => [handler.outputs.deadMinimal(letter)],
    ]);
  }

  /* ---------- 3 to 6 Handle: claim, call, fold, outcome (handle-request.ts) ---------- */

  /** Never rejects: whatever happens to a request, it ends as a response, a bill or a dead letter. */
  private async run(entry: RequestEntry): Promise<void> {
    // Queued while its partition went elsewhere, or while the service began to stop.
    if (entry.accepted === null || !this.entries.has(entry) || this.drainBegun.signal.aborted)
      return this.forget(entry);
    try {
      await this.handle(entry, entry.accepted);
    } catch (error) {
      this.options.logger.error(
        { err: error, place: entry.id },
        'the request ends as a dead letter because its response cannot be written',
      );
      this.deadLetter(entry, { code: 'internal', message: internalFailure().message });
    }
  }

  private async handle(entry: RequestEntry, accepted: AcceptedRequest): Promise<void> {
    const { handler, groupId } = this.options;
    const { span, trace } = startTrace(accepted, groupId);
    entry.span = span;
    const job = {
      accepted,
      acceptedAt: handler.clock.now(),
      acceptedMonotonic: handler.clock.monotonic(),
      trace,
      memory: entry.memory,
    };
    const handled = await handleUntilEnded(job, this.handlerOptions, entry.stopping.signal);
    if (handled === null) this.forget(entry);
    else this.ended(entry, job, handled);
  }

  private ended(entry: RequestEntry, job: RequestOnItsWay, handled: HandledRequest): void {
    // Forgotten meanwhile: its record comes again, and must not have a second outcome beside this one.
    if (!this.entries.has(entry)) return;
    const { handler } = this.options;
    const { requestId, tenantId } = job.accepted.request;
    if (handled.inLedger) entry.inLedger = { requestId, tenantId };
    if (handled.code !== null && entry.span !== null)
      recordFailure(entry.span, { code: handled.code, message: `ended as ${handled.status}` });
    entry.publishSpan = startPublishSpan(job.trace, {
      topic: handler.outputs.topics.responses,
      count: handled.records.length,
    });
    this.log.finished(requestId, handled, handler.clock.monotonic() - job.acceptedMonotonic);
    this.finish(entry, [handled.records, handled.recordsIfRefused, handled.recordsOfLastResort]);
  }

  /* ---------- 7 Settle: outcomes become visible (lane.ts) ---------- */

  /** @param forms of the outcome: the next one is published when a broker refuses the one before for good */
  private finish(entry: RequestEntry, forms: OutcomeForms): void {
    const finishedAt = this.options.handler.clock.monotonic();
    offerOutcome(entry, forms, this.options.handler, finishedAt, () => this.giveUpPublishing(entry));
    const lane = this.lanes.get(laneKey(entry.record));
    if (lane === undefined || lane.state === 'halted') this.forgetFinished(entry.record);
    else if (entry.finished !== null) lane.finish(entry.finished);
  }

  /** Better a request without an answer than a partition that stands still; the ledger has the outcome. */
  private giveUpPublishing(entry: RequestEntry): void {
    this.options.metrics.outcomeUnpublished();
    this.options.logger.error({ place: entry.id }, 'the broker refuses this outcome in every form');
  }

  settled(partition: TopicPartition, requests: readonly FinishedRequest[], times: SettleTimes): void {
    const { metrics, handler } = this.options;
    metrics.settled({ requests: requests.length, durationMs: times.visibleAt - times.began });
    const inLedger = [];
    for (const { offset, finishedAt } of requests) {
      metrics.outcomeVisible(times.visibleAt - finishedAt);
      const entry = this.entries.at({ ...partition, offset });
      if (entry === undefined) continue;
      this.forget(entry);
      if (entry.inLedger !== null) inLedger.push({ identity: entry.inLedger, source: entry.record });
    }
    // Only an optimization for a group whose offsets are lost: its failure changes nothing.
    if (inLedger.length > 0) void handler.ledger.markSettled(inLedger).catch(() => undefined);
  }

  opened(partition: TopicPartition, topicId: string | null, isSettled: (offset: number) => boolean): void {
    const key = laneKey(partition);
    if (isOther(this.topicIds.get(key) ?? null, topicId)) this.dropOldTopic(partition);
    this.topicIds.set(key, topicId);
    this.log.opened(partition);
    // Committed although it looked otherwise, or settled by another worker: it never comes here again.
    for (const entry of this.entries.of(partition)) if (isSettled(entry.record.offset)) this.forget(entry);
  }

  private dropOldTopic(partition: TopicPartition): void {
    const entries = this.entries.of(partition);
    this.log.topicRecreated(partition, entries.length);
    for (const entry of entries) {
      entry.stopping.abort(new HandlingStopped('the topic was deleted and created again'));
      this.forget(entry);
    }
  }

  gap(partition: TopicPartition, from: number, to: number): void {
    this.options.logger.warn({ ...partition, from, to }, 'the log has no records here: markers, or deleted');
  }

  known(partition: TopicPartition, from: number, to: number): InboundRecord[] {
    return this.entries.recordsOf(partition, from, to);
  }

  halted(partition: TopicPartition, reason: string): void {
    this.options.logger.error({ ...partition, reason }, 'the partition is not handled any more');
    this.dropWaiting(partition);
  }

  inDoubt(partition: TopicPartition, error: unknown): void {
    if (!(error instanceof ProducerDisconnected) && !(error instanceof RecordRefused))
      this.options.metrics.settleInDoubt();
    this.log.reopening(partition, error);
  }

  /* ---------- Limits, drain, start over ---------- */

  mayAccept(record: InboundRecord): boolean {
    const hasRoom = this.memory.mayAccept && this.limits.budget(laneKey(record)) > 0;
    return hasRoom || this.entries.at(record) !== undefined;
  }

  private resumeLanes(): void {
    if (!this.memory.mayResume) return;
    for (const [key, lane] of this.lanes) {
      if (lane.isSaturated && this.limits.mayResume(key)) lane.resumeIntake();
    }
  }

  /**
   * Accepts nothing new, finishes and settles what runs, and after `timeoutMs` ends the rest without an outcome. Lanes
   * are closed afterwards; the caller leaves the group last.
   */
  async drain(timeoutMs: number): Promise<void> {
    this.topicWatch.stop();
    this.drainBegun.abort(new HandlingStopped('the service is stopping'));
    this.options.source.advertiseDraining();
    for (const lane of this.lanes.values()) lane.drain();
    await this.entries.untilEmpty(timeoutMs);
    if (this.entries.size > 0) {
      const left = { requests: this.entries.size, ...this.scheduler.counts };
      this.options.logger.warn(left, 'drain timeout; ending what still runs');
      this.abortAll(new HandlingStopped('the service is stopping'));
      await this.entries.untilEmpty(5_000);
    }
    this.closeLanes();
  }

  /** The worker's lease was lost: whatever it claimed may be somebody else's now. Ends it all and begins again. */
  startOver(): void {
    this.options.logger.error('the lease was lost; ending every running request and starting over');
    this.abortAll(new HandlingStopped('the worker lost its lease'));
    for (const entry of this.entries.all) this.forget(entry);
    for (const lane of this.lanes.values()) lane.reopen();
  }

  private abortAll(reason: HandlingStopped): void {
    for (const entry of this.entries.all) entry.stopping.abort(reason);
  }

  /** Requests of a lost partition that have not begun are somebody else's; those that run finish into the ledger. */
  private dropWaiting(partition: TopicPartition): void {
    for (const entry of this.entries.of(partition)) if (entry.span === null) this.forget(entry);
    this.forgetFinished(partition);
  }

  /**
   * What has finished in a lost partition is kept for as long as anything of it runs. Should the partition come back meanwhile, a
   * request that was forgotten would queue behind a later one of its key, which runs, and be answered after it.
   */
  private forgetFinished(partition: TopicPartition): void {
    const left = this.entries.of(partition);
    if (left.every(({ finished }) => finished !== null)) for (const entry of left) this.forget(entry);
  }

  private forget(entry: RequestEntry): void {
    if (!this.entries.has(entry)) return;
    this.entries.remove(entry);
    this.limits.remove(laneKey(entry.record), entry.bytes);
    entry.memory.close();
    entry.publishSpan?.end();
    entry.span?.end();
    this.resumeLanes();
  }
}
