import type { CostCalculated, ProviderCall } from '../../src/contract/record-types.ts';
import { plainUsage } from '../../src/domain/cost/usage.ts';

/** A call of a cost event: 10 tokens in, 5 out, for 0.0006 and 0.0009. */
export function costCall(members: Partial<ProviderCall> = {}): ProviderCall {
  return {
    attempt: 1,
    disposition: 'ACCEPTED',
    provider: 'openai',
    account: null,
    model: 'gpt-4',
    pricedModel: null,
    serviceTier: null,
    providerRequestId: null,
    providerResponseId: null,
    startedAt: Date.UTC(2026, 10, 26, 12),
    usage: plainUsage(10, 5, 'PROVIDER'),
    costStatus: 'PRICED',
    unpricedReason: null,
    priceId: 'price',
    priceEffectiveFrom: 0,
    priceSource: 'test',
    amount: '0.0015',
    requestedModel: null,
    searchContextSize: null,
    region: null,
    reportedCost: null,
    estimatedCost: null,
    estimatedCurrency: null,
    ...members,
  };
}

/** A cost event whose calls all have the lines of `costCall` by default. */
export function costEvent(requestId: string, members: Partial<CostCalculated> = {}): CostCalculated {
  const calls = members.calls ?? [costCall()];
  const input = '0.0006';
  const output = '0.0009';
  const lines = calls
    .filter(({ costStatus }) => costStatus === 'PRICED')
    .flatMap(({ attempt, usage }) => [
      {
        attempt,
        direction: 'input',
        kind: 'input',
        quantity: usage.inputTokens,
        unitPrice: '60',
        amount: input,
      },
      {
        attempt,
        direction: 'output',
        kind: 'output',
        quantity: usage.outputTokens,
        unitPrice: '180',
        amount: output,
      },
    ])
    .map((line, index) => ({ lineNumber: index + 1, unit: 'token', unitSize: 1_000_000, ...line }));
  return {
    eventId: `event-${requestId}`,
    kind: 'CHARGE',
    revision: 0,
    adjustsEventId: null,
    reason: null,
    requestId,
    tenantId: 'acme',
    conversationId: null,
    userId: null,
    labels: {},
    requestStatus: 'COMPLETED',
    costStatus: 'PRICED',
    currency: 'USD',
    inputCost: input,
    outputCost: output,
    otherCost: '0',
    totalCost: '0.0015',
    acceptedCost: '0.0015',
    estimatedCost: null,
    usage: plainUsage(10, 5, 'PROVIDER'),
    calls,
    lines,
    usageAt: Math.min(...calls.map(({ startedAt }) => startedAt)),
    occurredAt: Date.now(),
    ...members,
  };
}
