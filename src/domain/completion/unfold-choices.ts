import type { Choice, UrlCitation } from '../../contract/record-types.ts';
import { type CompletionDelta, emptyDelta } from './completion-delta.ts';

/** A whole answer as deltas. Folding them gives the same answer, except for members of the answer itself. */
export function unfoldChoices(choices: readonly Choice[]): CompletionDelta[] {
  return choices.map((choice) => ({
    ...emptyDelta(choice.index),
    content: choice.content ?? '',
    refusal: choice.refusal,
    toolCalls: choice.toolCalls.map(({ id, type, name, arguments: text, extraJson }, index) => ({
      index,
      id,
      type,
      name,
      arguments: text,
      extraJson,
    })),
    audio: choice.audio,
    annotationsJson: choice.annotations.length === 0 ? null : JSON.stringify(choice.annotations.map(asSent)),
    logprobsJson: choice.logprobsJson,
    finishReason: choice.finishReason,
    extraJson: choice.extraJson,
  }));
}

/** In the provider's form, as streamed annotations are. */
function asSent({ startIndex, endIndex, title, url }: UrlCitation): object {
  return {
    type: 'url_citation',
    url_citation: { start_index: startIndex, end_index: endIndex, title, url },
  };
}
