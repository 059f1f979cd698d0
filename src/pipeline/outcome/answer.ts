import type { Choice, Usage } from '../../contract/record-types.ts';
import type { ChatFailure } from '../../domain/failures/chat-failure.ts';
import type { ServedBy } from '../../ports/provider.ts';

/** How the chunks of a call ended. */
export interface ChunksEnd {
  readonly chunkCount: number;
  /** Why they cannot all be published, which makes the answer a failure; null when they are. */
  readonly failure: ChatFailure | null;
}

/** What the last call of a request produced. */
export interface Answer {
  readonly attempt: number;
  readonly choices: Choice[];
  /** Members of the provider's answer that no field is for, as a JSON object; null when there are none. */
  readonly extraJson: string | null;
  readonly usage: Usage | null;
  readonly served: ServedBy;
  readonly chunkCount: number;
  /** When every chunk of it is acknowledged, or cannot be. Never rejects. */
  readonly chunksAcknowledged: Promise<ChunksEnd>;
  /** From the call to its first piece; null when none came. */
  readonly firstChunkMs: number | null;
  /** Null when it is complete. */
  readonly failure: ChatFailure | null;
  /** It failed because the provider is unavailable, which says nothing about the request. */
  readonly inOutage: boolean;
}
