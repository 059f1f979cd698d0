import type { Attributes, AttributeValue } from '@opentelemetry/api';

/** Instrumentation scope of every span and metric. */
export const SCOPE_NAME = 'completion-bus';

/**
 * Attribute names. Messaging, error and server: OpenTelemetry semantic conventions 1.45. GenAI: as that release has them,
 * the last one before they moved to a repository of their own. `completionbus.*` are ours.
 */
export const attribute = {
  messagingSystem: 'messaging.system.name',
  messagingOperationName: 'messaging.operation.name',
  messagingOperationType: 'messaging.operation.type',
  messagingDestination: 'messaging.destination.name',
  messagingPartition: 'messaging.destination.partition.id',
  messagingConsumerGroup: 'messaging.consumer.group.name',
  messagingMessageId: 'messaging.message.id',
  messagingBatchCount: 'messaging.batch.message_count',
  kafkaOffset: 'kafka.offset',
  kafkaMessageKey: 'kafka.message.key',
  genAiOperation: 'gen_ai.operation.name',
  genAiProvider: 'gen_ai.provider.name',
  genAiConversation: 'gen_ai.conversation.id',
  genAiRequestModel: 'gen_ai.request.model',
  genAiRequestMaxTokens: 'gen_ai.request.max_tokens',
  genAiRequestTemperature: 'gen_ai.request.temperature',
  genAiRequestStream: 'gen_ai.request.stream',
  genAiResponseModel: 'gen_ai.response.model',
  genAiResponseId: 'gen_ai.response.id',
  genAiFinishReasons: 'gen_ai.response.finish_reasons',
  genAiTimeToFirstChunk: 'gen_ai.response.time_to_first_chunk',
  genAiInputTokens: 'gen_ai.usage.input_tokens',
  genAiOutputTokens: 'gen_ai.usage.output_tokens',
  genAiCacheReadTokens: 'gen_ai.usage.cache_read.input_tokens',
  genAiCacheWriteTokens: 'gen_ai.usage.cache_creation.input_tokens',
  genAiReasoningTokens: 'gen_ai.usage.reasoning.output_tokens',
  genAiTokenType: 'gen_ai.token.type',
  openAiServiceTier: 'openai.response.service_tier',
  openAiSystemFingerprint: 'openai.response.system_fingerprint',
  serverAddress: 'server.address',
  serverPort: 'server.port',
  errorType: 'error.type',
  tenantId: 'completionbus.tenant.id',
  requestId: 'completionbus.request.id',
  attempt: 'completionbus.attempt',
  disposition: 'completionbus.disposition',
  providerRequestId: 'completionbus.provider.request.id',
  status: 'completionbus.status',
  currency: 'completionbus.currency',
  laneState: 'completionbus.lane.state',
  breakerState: 'completionbus.breaker.state',
  limitKind: 'completionbus.limit.kind',
  ledgerOperation: 'completionbus.ledger.operation',
  problemCode: 'completionbus.problem.code',
  publishFailureKind: 'completionbus.publish.kind',
  catalogStep: 'completionbus.catalog.step',
  catalogChange: 'completionbus.catalog.change',
  reservationResult: 'completionbus.reservation.result',
  partitionState: 'completionbus.partition.state',
  role: 'completionbus.role',
  taskState: 'completionbus.task.state',
  waitReason: 'completionbus.wait.reason',
  cancellationResult: 'completionbus.cancellation.result',
  cpuMode: 'cpu.mode',
} as const;

/** Metric names. The Prometheus endpoint writes dots as underscores and appends `_total` to counters. */
export const metricName = {
  requestsInFlight: 'completionbus.requests.in_flight',
  requestBytesInFlight: 'completionbus.requests.in_flight.size',
  requestsFinished: 'completionbus.requests.finished',
  requestDuration: 'completionbus.request.duration',
  responsesReplayed: 'completionbus.responses.replayed',
  deadLetters: 'completionbus.dead_letters',
  providerCalls: 'completionbus.provider.calls',
  tokenUsage: 'gen_ai.client.token.usage',
  operationDuration: 'gen_ai.client.operation.duration',
  timeToFirstChunk: 'gen_ai.client.operation.time_to_first_chunk',
  cost: 'completionbus.cost',
  chunksPublished: 'completionbus.chunks.published',
  chunkWriteFailures: 'completionbus.chunks.write.failures',
  publishFailures: 'completionbus.chunks.publish.failures',
  chunkBufferSize: 'completionbus.chunks.buffer.size',
  toolCalls: 'completionbus.tool_calls',
  structuredOutputs: 'completionbus.structured_outputs',
  schemaCheckDuration: 'completionbus.schema.check.duration',
  schemaCheckersLost: 'completionbus.schema.checkers.lost',
  settleDuration: 'completionbus.settle.duration',
  settleRequests: 'completionbus.settle.requests',
  settleDelay: 'completionbus.settle.delay',
  settleDoubts: 'completionbus.settle.doubts',
  outcomesUnpublished: 'completionbus.outcomes.unpublished',
  memoryWaiting: 'completionbus.memory.waiting',
  settleOldest: 'completionbus.settle.oldest',
  chunksOldest: 'completionbus.chunks.oldest',
  writerUnanswered: 'completionbus.writer.unanswered',
  eventLoopDelay: 'completionbus.event_loop.delay',
  lanes: 'completionbus.lanes',
  partitionsPaused: 'completionbus.partitions.paused',
  ledgerDuration: 'completionbus.ledger.duration',
  ledgerRetries: 'completionbus.ledger.retries',
  gateWaiting: 'completionbus.gate.waiting',
  gateWait: 'completionbus.gate.wait',
  gateBreaker: 'completionbus.gate.breaker',
  gateRemaining: 'completionbus.gate.remaining',
  catalogAge: 'completionbus.catalog.age',
  catalogSteps: 'completionbus.catalog.steps',
  catalogChanges: 'completionbus.catalog.changes',
  catalogPricesWaiting: 'completionbus.catalog.prices.waiting',
  spendEvents: 'completionbus.spend.events',
  spendUnreadable: 'completionbus.spend.unreadable',
  spendFoldDuration: 'completionbus.spend.fold.duration',
  spendLag: 'completionbus.spend.lag',
  spendAge: 'completionbus.spend.age',
  budgetReservations: 'completionbus.budget.reservations',
  spendPartitions: 'completionbus.spend.partitions',
  laneLag: 'completionbus.lane.lag',
  laneOldest: 'completionbus.lane.oldest',
  laneOpenings: 'completionbus.lane.openings',
  schedulerTasks: 'completionbus.scheduler.tasks',
  waits: 'completionbus.waits',
  claimsTakenOver: 'completionbus.claims.taken_over',
  leaseLosses: 'completionbus.lease.losses',
  requestsQuarantined: 'completionbus.requests.quarantined',
  requestsPoisoned: 'completionbus.requests.poisoned',
  cancellations: 'completionbus.cancellations',
  roleRestarts: 'completionbus.role.restarts',
  processMemory: 'process.memory.usage',
  processCpu: 'process.cpu.time',
  databaseUp: 'completionbus.mongodb.up',
  databaseLatency: 'completionbus.mongodb.latency',
  reservationsOpen: 'completionbus.budget.reservations.open',
} as const;

/** The longest value of an attribute, since callers and providers choose some of the values. */
const VALUE_MAX_CHARACTERS = 1_024;

/** Drops attributes without a value, since an empty metric label would create a separate time series. Long texts are clipped. */
export function present(attributes: Record<string, AttributeValue | null | undefined>): Attributes {
  const kept: Attributes = {};
  for (const name in attributes) {
    const value = attributes[name];
    if (value == null) continue;
    kept[name] =
      typeof value === 'string' && value.length > VALUE_MAX_CHARACTERS
        ? // A copy: a slice would keep the whole text in memory for as long as the span waits to be exported.
          Buffer.from(value.slice(0, VALUE_MAX_CHARACTERS)).toString()
        : value;
  }
  return kept;
}
