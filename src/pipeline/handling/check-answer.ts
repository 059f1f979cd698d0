import type { ChatRequest, Choice, Problem, ToolCall } from '../../contract/record-types.ts';
import {
  isCustom,
  notAnObject,
  notChecked,
  unknownTool,
  unparsable,
} from '../../domain/failures/answer-problems.ts';
import type { CheckResult, SchemaChecker, ValueToCheck } from '../../ports/schemas.ts';
import type { Metrics } from '../../telemetry/metrics.ts';

export interface AnswerCheckOptions {
  readonly schemas: SchemaChecker;
  readonly metrics: Metrics;
}

/** Of one answer, so that problems never make its record too large; the first of each call is always told. */
const MAX_PROBLEMS = 64;
/** Longer texts are parsed where that holds nobody up. */
const MAX_CHARACTERS_HERE = 16_384;
const MAX_BLANKS = 64;

/** What is wrong with a part of an answer, or that it could not be found out. */
interface Finding {
  readonly problems: readonly Problem[];
  readonly isChecked: boolean;
}

/** A part of an answer whose finding is known once the values have been held against their schemas. */
type Pending = (results: readonly CheckResult[]) => Finding;

/**
 * Holds a complete answer against what the request defined: every tool call against its tool, the text against the
 * schema of a structured output. What does not fit is told, never changed or refused: the answer is paid for, and what
 * to do with it is the caller's decision.
 *
 * @throws the signal's reason, when it fires while the checks wait for their turn
 */
export async function checkAnswer(
  request: ChatRequest,
  choices: Choice[],
  options: AnswerCheckOptions,
  signal: AbortSignal,
): Promise<Choice[]> {
  const format = request.responseFormat;
  const isStructured = format !== null && format.type !== 'text';
  if (!isStructured && choices.every(({ toolCalls }) => toolCalls.length === 0)) return choices;

  // 1 What has to be held against a schema, all of it at once.
  const check = new AnswerCheck(request);
  const pending = choices.map((choice) => ({
    choice,
    calls: choice.toolCalls.map((call, index) => {
      const isLast = index === choice.toolCalls.length - 1;
      return { call, finding: check.toolCall(call, isLast ? choice.finishReason : null) };
    }),
    output: isStructured ? check.structuredOutput(choice) : null,
  }));
  const { tenantId, requestId } = request;
  const results =
    check.values.length === 0
      ? []
      : await options.schemas.check(check.values, { tenantId, requestId, signal });

  // 2 What was found, in the answer's order, as far as there is room.
  const room = new ProblemRoom();
  return pending.map(({ choice, calls, output }) => {
    const toolCalls = calls.map(({ call, finding }) => checkedCall(call, finding(results), room, options));
    if (output === null) return { ...choice, toolCalls, problems: [] };
    const problems = room.fitting(output(results).problems);
    options.metrics.structuredOutputChecked(problems[0]?.code ?? null);
    return { ...choice, toolCalls, problems };
  });
}

function checkedCall(
  call: ToolCall,
  { problems: found, isChecked }: Finding,
  room: ProblemRoom,
  { metrics }: AnswerCheckOptions,
): ToolCall {
  const problems = room.fitting(found);
  metrics.toolCallChecked(problems[0]?.code ?? null);
  return { ...call, valid: isChecked ? found.length === 0 : null, problems };
}

/** Collects what of one answer has to be held against a schema. */
class AnswerCheck {
  readonly values: ValueToCheck[] = [];
  readonly #request: ChatRequest;

  constructor(request: ChatRequest) {
    this.#request = request;
  }

  /** @param endedBy the finish reason, when this is the call that it may have cut */
  toolCall(call: ToolCall, endedBy: string | null): Pending {
    const { tools } = this.#request;
    const tool = tools.find(({ name, type }) => name === call.name && isCustom(type) === isCustom(call.type));
    if (tool === undefined) return found([unknownTool(call, tools)]);
    // Free text, perhaps after a grammar that the provider holds it to.
    if (tool.type === 'custom') return found([]);
    // Some servers write nothing at all where there is nothing to write.
    if (tool.parametersJson === null && isBlank(call.arguments)) return found([]);
    const { arguments: text } = call;
    const value = { text, root: 'arguments', schemaJson: tool.parametersJson, isObject: true };
    const isCut = endedBy === 'length' || endedBy === 'content_filter';
    return isBlank(text) && !isCut ? this.#nothing(value, endedBy) : this.#held(value, endedBy);
  }

  /** No arguments are an empty object, where the schema takes one. */
  #nothing(value: ValueToCheck, endedBy: string | null): Pending {
    const asObject = this.#held({ ...value, text: '{}' }, endedBy);
    return (results) => {
      const finding = asObject(results);
      const isMissing = finding.isChecked && finding.problems.length > 0;
      return isMissing ? { problems: [unparsable('', value.root, endedBy)], isChecked: true } : finding;
    };
  }

  /**
   * @returns null for a refusal, a tool call and a filtered text, which are answers of other kinds: there is nothing to
   *   hold against the schema
   */
  structuredOutput({ content, refusal, toolCalls, finishReason }: Choice): Pending | null {
    const isOtherKind = refusal !== null || toolCalls.length > 0 || finishReason === 'content_filter';
    if (isOtherKind) return null;
    const { responseFormat } = this.#request;
    const schemaJson = responseFormat?.type === 'json_schema' ? responseFormat.schemaJson : null;
    const isObject = responseFormat?.type === 'json_object';
    return this.#held({ text: content ?? '', root: 'content', schemaJson, isObject }, finishReason);
  }

  #held(value: ValueToCheck, endedBy: string | null): Pending {
    if (value.schemaJson === null && value.text.length <= MAX_CHARACTERS_HERE) {
      return found(problemsHere(value, endedBy));
    }
    const index = this.values.push(value) - 1;
    return (results) => findingOf(results[index], value, endedBy);
  }
}

/** Longer blanks are no empty arguments, but a model that lost its way. */
function isBlank(text: string): boolean {
  return text.length <= MAX_BLANKS && text.trim() === '';
}

function found(problems: readonly Problem[]): Pending {
  return () => ({ problems, isChecked: true });
}

function findingOf(
  result: CheckResult | undefined,
  { text, root }: ValueToCheck,
  endedBy: string | null,
): Finding {
  switch (result?.kind) {
    case 'checked':
      return { problems: result.problems, isChecked: true };
    case 'unparsable':
      return { problems: [unparsable(text, root, endedBy)], isChecked: true };
    case 'not_checked':
      return { problems: [notChecked(root, result.reason)], isChecked: false };
    default:
      return { problems: [notChecked(root, 'there is no result')], isChecked: false };
  }
}

function problemsHere({ text, root, isObject }: ValueToCheck, endedBy: string | null): readonly Problem[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return [unparsable(text, root, endedBy)];
  }
  const isJsonObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject && !isJsonObject ? [notAnObject(root)] : [];
}

/** The room for problems that the parts of one answer share. */
class ProblemRoom {
  #left = MAX_PROBLEMS;

  fitting(problems: readonly Problem[]): Problem[] {
    const told = problems.slice(0, Math.max(1, this.#left));
    this.#left -= told.length;
    return told;
  }
}
