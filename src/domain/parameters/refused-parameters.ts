import type { ChatRequest, Problem } from '../../contract/record-types.ts';
import { fieldOf } from './provider-parameters.ts';

/** What a model accepts and refuses, by the provider's names of parameters. */
export interface ModelParameters {
  readonly id: string;
  /** Which of its two names the token limit has; null if unknown. */
  readonly maxTokensParameter: string | null;
  /** Always refused. */
  readonly refusedParameters: readonly string[];
  /** Accepted only with reasoning effort `none`. */
  readonly refusedWhileReasoning: readonly string[];
  /** The reasoning effort of a request that sets none; null if unknown. */
  readonly defaultReasoningEffort: string | null;
}

/**
 * Values that the provider sets in any case, so that no model refuses them: the sampling of reasoning models is fixed at these.
 *
 * @see https://platform.openai.com/docs/guides/reasoning
 */
const fixedValues: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ['temperature', 1],
  ['top_p', 1],
  ['n', 1],
  ['presence_penalty', 0],
  ['frequency_penalty', 0],
]);

/** Whether the model accepts a parameter, with the request's reasoning effort or its own default. */
export function takesParameter(model: ModelParameters, parameter: string, effort: string | null): boolean {
  if (model.refusedParameters.includes(parameter)) return false;
  return effortOf(model, effort) === 'none' || !model.refusedWhileReasoning.includes(parameter);
}

/** The reasoning effort that the model runs with: the request's, else its default; null if that is unknown. */
export function effortOf({ defaultReasoningEffort }: ModelParameters, asked: string | null): string | null {
  return asked ?? defaultReasoningEffort ?? null;
}

/** The parameters that the caller set and the model refuses, each with its path. */
export function refusedParameters(request: ChatRequest, model: ModelParameters): Problem[] {
  const known = [...new Set([...model.refusedParameters, ...model.refusedWhileReasoning])];
  return known.flatMap((parameter) => {
    const field = fieldOf(parameter);
    const isFine =
      takesParameter(model, parameter, request.reasoningEffort) ||
      field === null ||
      !isSentAs(parameter, request, model) ||
      isUnset(request[field]) ||
      request[field] === fixedValues.get(parameter);
    if (isFine) return [];
    const wayOut = model.refusedParameters.includes(parameter)
      ? 'leave it out, or choose another model'
      : 'set reasoningEffort to none, leave it out, or choose another model';
    const message = `model ${model.id} does not accept ${parameter}; ${wayOut}`;
    return [{ path: field, code: 'refused_parameter', message }];
  });
}

/** Some fields are sent under one of two names. */
function isSentAs(parameter: string, { legacyFunctions }: ChatRequest, model: ModelParameters): boolean {
  switch (parameter) {
    case 'max_tokens':
    case 'max_completion_tokens':
      return parameter === model.maxTokensParameter;
    case 'functions':
    case 'function_call':
      return legacyFunctions;
    case 'tools':
    case 'tool_choice':
      return !legacyFunctions;
    default:
      return true;
  }
}

function isUnset(value: unknown): boolean {
  if (value === null || value === undefined) return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}
