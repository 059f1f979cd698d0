import type { ToolCallDelta } from '../../../contract/record-types.ts';
import { isObject } from '../../../domain/text/is-object.ts';
import { reportedWord } from '../http/metadata-text.ts';
import { answerLimits, LimitExceeded } from '../wire/answer-limits.ts';
import type { WireObject } from '../wire/wire.ts';
import type { AnswerIndexes } from './answer-indexes.ts';
import { toolCallId } from './tool-call-id.ts';
import type { ToolCallIndexes } from './tool-call-indexes.ts';

const OF_CALL: ReadonlySet<string> = new Set(['index', 'id', 'type', 'function', 'custom']);
const OF_CALLED: ReadonlySet<string> = new Set(['name', 'arguments', 'input']);
const FLAT: ReadonlySet<string> = new Set([...OF_CALL, ...OF_CALLED]);

/**
 * Maps the pieces of tool calls that came together. What says nothing of a call is left out.
 *
 * @throws LimitExceeded
 */
export function mapToolCalls(
  calls: readonly unknown[],
  choiceIndex: number,
  indexes: AnswerIndexes,
): readonly ToolCallDelta[] {
  if (calls.length > answerLimits.toolCalls) throw new LimitExceeded('toolCalls');
  const mapped: ToolCallDelta[] = [];
  for (let position = 0; position < calls.length; position += 1) {
    const call = calls[position];
    const delta = isObject(call) ? mapToolCall(calls, position, call, choiceIndex, indexes) : null;
    if (delta !== null) mapped.push(delta);
  }
  return mapped;
}

function mapToolCall(
  calls: readonly unknown[],
  position: number,
  call: WireObject,
  choiceIndex: number,
  indexes: AnswerIndexes,
): ToolCallDelta | null {
  const custom = isObject(call['custom']) ? call['custom'] : null;
  // Some servers leave the object around name and arguments out.
  const called = custom ?? (isObject(call['function']) ? call['function'] : call);
  const extraJson = extraOf(call, called, choiceIndex, indexes);
  const piece = {
    id: toolCallId(call['id']),
    name: reportedWord(called['name']),
    arguments: argumentsText(custom === null ? called['arguments'] : called['input']),
    hasMore: extraJson !== null,
  };
  const open = indexes.toolCalls(choiceIndex).callOf(calls, position, piece);
  if (open === null) return null;
  return {
    index: open.index,
    id: piece.id,
    type: reportedWord(call['type']) ?? (custom === null ? null : 'custom'),
    name: open.take(piece),
    arguments: open.takeArguments(piece.arguments),
    extraJson,
  };
}

/** Members of a call, and of the object in it, that the contract has no field for. @throws LimitExceeded */
function extraOf(
  call: WireObject,
  called: WireObject,
  choiceIndex: number,
  indexes: AnswerIndexes,
): string | null {
  const others = othersOf(call, called === call ? FLAT : OF_CALL);
  const inner = called === call ? null : othersOf(called, OF_CALLED);
  if (others === null && inner === null) return null;
  for (const name of [...Object.keys(others ?? {}), ...Object.keys(inner ?? {})])
    indexes.noteName(choiceIndex, name);
  const place = called === call['custom'] ? 'custom' : 'function';
  return JSON.stringify({ ...others, ...(inner !== null && { [place]: inner }) });
}

/** Runs for every piece: it makes no object where there is nothing. */
function othersOf(members: WireObject, known: ReadonlySet<string>): object | null {
  let others: [string, unknown][] | null = null;
  for (const name in members) {
    const value = members[name];
    if (known.has(name) || value === null || value === undefined) continue;
    others ??= [];
    others.push([name, value]);
  }
  return others === null ? null : Object.fromEntries(others);
}

/**
 * The older form: there is at most one call, it has no id, and only its first piece names the function.
 *
 * @param calls of the same delta: some servers write one call in both forms
 * @throws LimitExceeded
 */
export function mapFunctionCall(
  call: WireObject,
  calls: readonly ToolCallDelta[],
  choiceIndex: number,
  indexes: AnswerIndexes,
): readonly ToolCallDelta[] {
  const name = reportedWord(call['name']);
  const isRepeated = calls.length > 0 && (name === null || calls.some((other) => other.name === name));
  if (isRepeated) return calls;
  const piece = { id: null, name, arguments: argumentsText(call['arguments']), hasMore: false };
  const open = indexes.toolCalls(choiceIndex).functionCall(piece);
  if (open === null) return calls;
  const added = open.take(piece);
  const type = added === null ? null : 'function_call';
  return [
    ...calls,
    {
      index: open.index,
      id: null,
      type,
      name: added,
      arguments: open.takeArguments(piece.arguments),
      extraJson: null,
    },
  ];
}

/**
 * Adds to the calls of a complete choice what they lack: an id where the provider sent none, and arguments that were held back.
 *
 * @param deltas of its last piece
 */
export function completeCalls(
  deltas: readonly ToolCallDelta[],
  calls: ToolCallIndexes | undefined,
): readonly ToolCallDelta[] {
  const missing = calls?.complete() ?? [];
  if (missing.length === 0) return deltas;
  const byIndex = new Map(missing.map((call) => [call.index, call]));
  const added = deltas.map((delta) => {
    const call = byIndex.get(delta.index);
    if (call === undefined) return delta;
    byIndex.delete(delta.index);
    return { ...delta, id: call.id ?? delta.id, arguments: delta.arguments + call.arguments };
  });
  const others = [...byIndex.values()].map((call) => ({ ...call, type: null, name: null, extraJson: null }));
  return [...added, ...others];
}

/** The calls of a message: a list, one alone, or an object of them by their number. */
export function listOfCalls(value: object): readonly unknown[] {
  if (Array.isArray(value)) return value;
  const entries = Object.entries(value);
  const isNumbered =
    entries.length > 0 && entries.every(([name, call]) => /^\d{1,4}$/.test(name) && isObject(call));
  return isNumbered ? entries.map(([, call]) => call) : [value];
}

/** Some servers send the arguments as the value that they should be the text of. */
function argumentsText(value: unknown): string {
  if (typeof value === 'string') return value;
  return value === null || value === undefined ? '' : JSON.stringify(value);
}
