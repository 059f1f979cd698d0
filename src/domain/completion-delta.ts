import type { AudioDelta, ToolCallDelta } from '../contract/records.ts';

/** A piece of one choice, as the provider sent it: what a chunk carries without its envelope. */
export interface CompletionDelta {
  readonly choiceIndex: number;
  readonly role: string | null;
  /** Text to append; empty when the piece has none. */
  readonly content: string;
  readonly refusal: string | null;
  readonly toolCalls: readonly ToolCallDelta[];
  readonly audio: AudioDelta | null;
  /** JSON array of citations, as the provider sent it. */
  readonly annotationsJson: string | null;
  /** JSON object, as the provider sent it. */
  readonly logprobsJson: string | null;
  readonly finishReason: string | null;
  /** JSON object of delta fields that the contract does not know (for example reasoning_content). */
  readonly extraJson: string | null;
}

/** A piece that carries nothing yet. */
export function emptyDelta(choiceIndex: number): CompletionDelta {
  return {
    choiceIndex,
    role: null,
    content: '',
    refusal: null,
    toolCalls: [],
    audio: null,
    annotationsJson: null,
    logprobsJson: null,
    finishReason: null,
    extraJson: null,
  };
}
