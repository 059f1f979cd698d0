import type { ChatRequest, Choice, Problem, ToolCall } from '../../contract/record-types.ts';
import {
  isCustom,
  notAnObject,
  notChecked,
  unknownTool,
  unparsable,
} from '../../domain/failures/answer-problems.ts';
import { isObject } from '../../domain/text/is-object.ts';
import type { CheckResult, SchemaChecker, ValueToCheck } from '../../ports/schemas.ts';
import type { Metrics } from '../../telemetry/metrics.ts';

export interface AnswerCheckOptions {
  readonly schemas: SchemaChecker;
  readonly metrics: Metrics;
}

/** Of one answer, so that problems never make its record too large. The first problem of each call is always listed. */
const MAX_PROBLEMS = 64;
/** Longer texts are parsed in a worker thread. */
const MAX_CHARACTERS_HERE = 16_384;
const MAX_BLANKS = 64;

/** The problems of a part of an answer, or that it could not be checked. */
interface Finding {
  readonly problems: readonly Problem[];
  readonly isChecked: boolean;
}

/** A part of an answer whose finding is known once its values are checked against their schemas. */
type Pending = (results: readonly CheckResult[]) => Finding;

/**
 * Checks a complete answer against the definitions of the request: every tool call against its tool, and the text against the
 * schema of a structured output. Problems are listed, but nothing is changed or refused: the answer is paid for, and the caller
 * decides what to do with it.
 *
 * @throws the signal's reason if it fires while the checks wait for their turn
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

  // 1 Check all values against their schemas, in one go.
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

  // 2 List the problems in the answer's order, while there is room.
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

/** Collects the values of one answer that have to be checked against a schema. */
class AnswerCheck {
  readonly values: ValueToCheck[] = [];
  readonly #request: ChatRequest;

  constructor(request: ChatRequest) {
    this.#request = request;
  }

  /** @param endedBy the finish reason, if it may have cut this call */
  toolCall(call: ToolCall, endedBy: string | null): Pending {
    const { tools } = this.#request;
    const tool = tools.find(({ name, type }) => name === call.name && isCustom(type) === isCustom(call.type));
    if (tool === undefined) return found([unknownTool(call, tools)]);
    // Free text, perhaps by a grammar that the provider enforces.
    if (tool.type === 'custom') return found([]);
    // Some servers send no arguments at all instead of an empty object.
    if (tool.parametersJson === null && isBlank(call.arguments)) return found([]);
    const { arguments: text } = call;
    const value = { text, root: 'arguments', schemaJson: tool.parametersJson, isObject: true };
    const isCut = endedBy === 'length' || endedBy === 'content_filter';
    return isBlank(text) && !isCut ? this.#nothing(value, endedBy) : this.#held(value, endedBy);
  }

  /** Missing arguments are an empty object, if the schema allows one. */
  #nothing(value: ValueToCheck, endedBy: string | null): Pending {
    const asObject = this.#held({ ...value, text: '{}' }, endedBy);
    return (results) => {
      const finding = asObject(results);
      const isMissing = finding.isChecked && finding.problems.length > 0;
      return isMissing ? { problems: [unparsable('', value.root, endedBy)], isChecked: true } : finding;
    };
  }

  /**
   * @returns null for a refusal, a tool call and a filtered text. They are answers of other kinds, to which the schema does not
   *   apply.
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

/** A long run of blanks is not an empty value, but a model that lost its way. */
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

function problemsHere(
  { text, root, isObject: mustBeObject }: ValueToCheck,
  endedBy: string | null,
): readonly Problem[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return [unparsable(text, root, endedBy)];
  }
  return mustBeObject && !isObject(value) ? [notAnObject(root)] : [];
}

/** The room for problems that the parts of one answer share. */
class ProblemRoom {
  #left = MAX_PROBLEMS;

  fitting(problems: readonly Problem[]): Problem[] {
    const listed = problems.slice(0, Math.max(1, this.#left));
    this.#left -= listed.length;
    return listed;
  }
}
