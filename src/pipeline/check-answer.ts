import type { ChatRequest, Choice, Problem, ToolCall } from '../contract/records.ts';
import { isCustom, notAnObject, notChecked, unknownTool, unparsable } from '../domain/answer-problems.ts';
import type { Clock, SchemaCompiler } from '../ports.ts';
import type { Metrics } from '../telemetry/metrics.ts';

export interface AnswerCheckOptions {
  readonly schemas: SchemaCompiler;
  readonly clock: Clock;
  readonly metrics: Metrics;
}

/** What all checks of one answer may take; nothing else is done meanwhile. */
const ANSWER_LIMIT_MS = 250;
/** Of one answer, so that problems never make its record too large; the first of each call is always told. */
const MAX_PROBLEMS = 64;

/**
 * Holds a complete answer against what the request defined: every tool call against its tool, the text against the
 * schema of a structured output. What does not fit is told, never changed or refused: the answer is paid for, and what
 * to do with it is the caller's decision.
 */
export async function checkAnswer(
  request: ChatRequest,
  choices: Choice[],
  options: AnswerCheckOptions,
): Promise<Choice[]> {
  const format = request.responseFormat;
  const isStructured = format !== null && format.type !== 'text';
  if (!isStructured && choices.every(({ toolCalls }) => toolCalls.length === 0)) return choices;

  const check = new AnswerCheck(request, options);
  const checked: Choice[] = [];
  for (const choice of choices) {
    const toolCalls: ToolCall[] = [];
    for (const call of choice.toolCalls) {
      const isLast = toolCalls.length === choice.toolCalls.length - 1;
      toolCalls.push(await check.toolCall(call, isLast ? choice.finishReason : null));
    }
    const problems = isStructured ? await check.structuredOutput(choice) : [];
    checked.push({ ...choice, toolCalls, problems });
  }
  return checked;
}

/** The checks of one answer, which share a time limit and the room for problems. */
class AnswerCheck {
  readonly #request: ChatRequest;
  readonly #options: AnswerCheckOptions;
  readonly #endsAt: number;
  #room = MAX_PROBLEMS;

  constructor(request: ChatRequest, options: AnswerCheckOptions) {
    this.#request = request;
    this.#options = options;
    this.#endsAt = options.clock.monotonic() + ANSWER_LIMIT_MS;
  }

  /** @param endedBy the finish reason, when this is the call that it may have cut */
  async toolCall(call: ToolCall, endedBy: string | null): Promise<ToolCall> {
    const found = await this.#callProblems(call, endedBy);
    const problems = this.#fitting(found ?? [notChecked('arguments')]);
    const valid = found === null ? null : found.length === 0;
    this.#options.metrics.toolCallChecked(problems[0]?.code ?? null);
    return { ...call, valid, problems };
  }

  /** A refusal, a tool call and a filtered text are answers of other kinds: there is nothing to hold against the schema. */
  async structuredOutput(choice: Choice): Promise<Problem[]> {
    const { content, refusal, toolCalls, finishReason } = choice;
    const isOtherKind = refusal !== null || toolCalls.length > 0 || finishReason === 'content_filter';
    if (isOtherKind) return [];
    const { responseFormat } = this.#request;
    const schemaJson = responseFormat?.type === 'json_schema' ? responseFormat.schemaJson : null;
    const isObject = responseFormat?.type === 'json_object';
    const found = await this.#misfits(content ?? '', 'content', schemaJson, isObject, finishReason);
    const problems = this.#fitting(found ?? [notChecked('content')]);
    this.#options.metrics.structuredOutputChecked(problems[0]?.code ?? null);
    return problems;
  }

  async #callProblems(call: ToolCall, endedBy: string | null): Promise<readonly Problem[] | null> {
    const { tools } = this.#request;
    const tool = tools.find(({ name, type }) => name === call.name && isCustom(type) === isCustom(call.type));
    if (tool === undefined) return [unknownTool(call, tools)];
    // Free text, perhaps after a grammar that the provider holds it to.
    if (tool.type === 'custom') return [];
    // Some servers write nothing at all where there is nothing to write.
    if (tool.parametersJson === null && call.arguments === '') return [];
    return this.#misfits(call.arguments, 'arguments', tool.parametersJson, true, endedBy);
  }

  /** Null when it could not be found out in time. */
  async #misfits(
    text: string,
    root: string,
    schemaJson: string | null,
    isObject: boolean,
    endedBy: string | null,
  ): Promise<readonly Problem[] | null> {
    const json = parse(text);
    if (json === null) return [unparsable(text, root, endedBy)];
    if (schemaJson === null) return isObject && !isJsonObject(json.value) ? [notAnObject(root)] : [];
    const schema = await this.#options.schemas.compile(schemaJson);
    if ('reason' in schema) return null;
    return schema.misfits(json, root, this.#endsAt - this.#options.clock.monotonic());
  }

  #fitting(problems: readonly Problem[]): Problem[] {
    const told = problems.slice(0, Math.max(1, this.#room));
    this.#room -= told.length;
    return told;
  }
}

function parse(text: string): { value: unknown; characters: number } | null {
  try {
    return { value: JSON.parse(text), characters: text.length };
  } catch {
    return null;
  }
}

function isJsonObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
