import type { Choice, Usage } from '../../contract/record-types.ts';
import type { ChatFailure } from '../../domain/failures/chat-failure.ts';
import type { ServedBy } from '../../ports/provider.ts';

/** How the chunks of a call ended. */
export interface ChunksEnd {
  readonly chunkCount: number;
  /** Why they cannot all be published, which makes the answer a failure; null if they can. */
  readonly failure: ChatFailure | null;
}

/** The result of a request's last call. */
export interface Answer {
  readonly attempt: number;
  readonly choices: Choice[];
  /** Members of the provider's answer without a field of the contract, as a JSON object; null if it has no such members. */
  readonly extraJson: string | null;
  readonly usage: Usage | null;
  readonly served: ServedBy;
  readonly chunkCount: number;
  /** Resolves once every chunk is acknowledged, or cannot be. Never rejects. */
  readonly chunksAcknowledged: Promise<ChunksEnd>;
  /** From the call to its first piece; null if none arrived. */
  readonly firstChunkMs: number | null;
  /** Null if the answer is complete. */
  readonly failure: ChatFailure | null;
  /** Whether it failed because the provider is unavailable, which says nothing about the request. */
  readonly inOutage: boolean;
}
