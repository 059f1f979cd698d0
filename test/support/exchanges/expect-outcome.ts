import { expect } from 'vitest';
import type { ChatResponse } from '../../../src/contract/record-types.ts';
import type { Outcome } from './exchange-world.ts';
import type { Expectation, ExpectedCall, ExpectedError, ReplayExchange } from './replay-exchange.ts';

/** Asserts everything that became of a replayed request. */
export function expectOutcome(outcome: Outcome, { request, expected }: ReplayExchange): void {
  const { response, calls } = outcome;
  const { error, calls: callCount = 1, model, serviceTier, warnings } = expected;
  expect([response.status, response.error]).toEqual([
    error === undefined ? 'COMPLETED' : 'FAILED',
    error === undefined ? null : expect.anything(),
  ]);
  if (error !== undefined) expectError(response, error);
  expect(calls).toHaveLength(callCount);
  expect(response.attempts).toBe(callCount);
  const body = calls.at(-1)?.body;
  expect(body).toMatchObject(expected.sent ?? {});
  for (const name of expected.notSent ?? []) expect(body).not.toHaveProperty(name);
  for (const name of expected.sentNowhere ?? [])
    expect(JSON.stringify(body?.['messages'])).not.toContain(`"${name}"`);
  if (model !== undefined) expect(response.model).toBe(model);
  if (serviceTier !== undefined) expect(response.serviceTier).toBe(serviceTier);
  if (warnings !== undefined)
    expect(response.warnings.map(({ code }) => code).toSorted()).toEqual([...warnings].toSorted());
  expectAnswer(outcome, expected);
  if (request['stream'] === false) expect(outcome.chunks).toEqual([]);
  else if (error === undefined || expected.usage !== null) expectChunks(outcome, expected);
  expectUsage(outcome, expected);
  expectCost(outcome, expected);
}

function expectError({ error }: ChatResponse, expected: ExpectedError): void {
  const { says, hides, ...fields } = expected;
  expect(error).toMatchObject(fields);
  if (says !== undefined) expect(error?.providerMessage).toContain(says);
  if (hides !== undefined) expect(error?.providerMessage).not.toContain(hides);
}

function expectAnswer({ response }: Outcome, expected: Expectation): void {
  const { text = null, otherTexts = [], finishReason = 'stop', extra = {} } = expected;
  const choice = response.choices[0];
  // A request that failed without any answer has no choice.
  const isNothing = text === null && expected.error !== undefined && choice === undefined;
  if (!isNothing) {
    expect(choice).toMatchObject({
      content: text,
      refusal: expected.refusal ?? null,
      finishReason,
      annotations: expected.annotations ?? [],
    });
    expect(choice?.problems.map(({ code }) => code)).toEqual(expected.problems ?? []);
  }
  expect(response.choices.slice(1).map(({ content }) => content)).toEqual(otherTexts);
  expectToolCalls(response, expected.toolCalls ?? []);
  expect(extraOf(response)).toMatchObject(extra.answer ?? {});
  expect(extraOf(choice)).toMatchObject(extra.choice ?? {});
}

/** The chunks carry what the response has. */
function expectChunks({ response, chunks, text: chunkText }: Outcome, expected: Expectation): void {
  const { text = null, finishReason = 'stop', toolCalls = [], extra = {}, error } = expected;
  const ofFirst = chunks.filter(({ choiceIndex }) => choiceIndex === 0);
  if (error !== undefined) {
    // Without an accepted attempt, nobody knows which of its chunks are still on their way.
    expect(text?.startsWith(chunkText)).toBe(true);
    return;
  }
  expect(chunks).toHaveLength(response.chunkCount);
  expect(chunkText).toBe(text ?? '');
  expect(ofFirst.flatMap((chunk) => chunk.finishReason ?? [])).toEqual(
    finishReason === null ? [] : [finishReason],
  );
  const pieces = Map.groupBy(
    ofFirst.flatMap((chunk) => chunk.toolCalls),
    ({ index }) => index,
  );
  expect(
    [...pieces.values()].map((ofCall) => ({
      name: ofCall.map(({ name }) => name ?? '').join(''),
      arguments: ofCall.map((piece) => piece.arguments).join(''),
    })),
  ).toEqual(toolCalls.map((call) => ({ name: call.name, arguments: call.arguments })));
  const carried = chunks.map(({ extraJson }) => extraJson ?? '').join('\n');
  for (const name of Object.keys({ ...extra.answer, ...extra.choice }))
    expect(carried).toContain(`"${name}"`);
}

function expectToolCalls({ choices }: ChatResponse, expected: readonly ExpectedCall[]): void {
  const calls = choices[0]?.toolCalls ?? [];
  expect(calls).toMatchObject(
    expected.map(({ id = expect.stringMatching(/./), valid = true, extra: _extra, ...call }) => ({
      id,
      valid,
      ...call,
    })),
  );
  expect(new Set(calls.map(({ id }) => id)).size).toBe(calls.length);
  for (const [position, { extra = {} }] of expected.entries())
    expect(extraOf(calls[position])).toMatchObject(extra);
}

/** A response without an accepted call has no usage; the bill has that of all calls. */
function expectUsage({ response, cost }: Outcome, { usage: expected, error }: Expectation): void {
  if (error !== undefined) expect(response.usage).toBeNull();
  if (expected === null) {
    expect(response.usage).toBeNull();
    return;
  }
  const usage = error === undefined ? response.usage : cost?.usage;
  const { raw = {}, confidence = 'PROVIDER', ...counts } = expected;
  expect(usage).toMatchObject({ confidence, ...counts });
  expect(usage?.totalTokens).toBe(counts.inputTokens + counts.outputTokens);
  expect(JSON.parse(usage?.rawJson ?? '{}')).toMatchObject(raw);
}

function expectCost({ response, cost }: Outcome, expected: Expectation): void {
  const { cost: amount, pricedModel, reportedCost } = expected;
  if (amount === null) {
    expect([response.costStatus, cost]).toEqual(['NONE', null]);
    return;
  }
  expect(response.costEventId).toBe(cost?.eventId);
  const call = cost?.calls.at(-1);
  if (typeof amount === 'string') {
    expect(cost).toMatchObject({ costStatus: 'PRICED', currency: 'USD', totalCost: amount });
    expect(response).toMatchObject({ costStatus: 'PRICED', currency: 'USD', cost: amount });
  } else {
    expect(cost).toMatchObject({ costStatus: 'UNPRICED', totalCost: null });
    expect(call?.unpricedReason).toBe(amount.unpriced);
  }
  if (pricedModel !== undefined) expect(call?.pricedModel).toBe(pricedModel);
  if (reportedCost !== undefined) expect(call?.reportedCost).toBe(reportedCost);
}

/** The members that the contract does not know, at the level of the record. */
function extraOf(record: { readonly extraJson: string | null } | undefined): object {
  return JSON.parse(record?.extraJson ?? '{}') as object;
}
