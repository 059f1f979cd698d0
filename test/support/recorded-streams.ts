import { readdirSync, readFileSync } from 'node:fs';
import { StreamDecoder } from '../../src/adapters/openai/stream/stream-decoder.ts';
import type { ChatFailure } from '../../src/domain/failures/chat-failure.ts';
import type { ProviderEvents } from '../../src/ports/provider.ts';

const folder = new URL('../fixtures/openai/', import.meta.url);

/** Names of the recorded streams (test/fixtures/openai/README.md). */
export const recordings: readonly string[] = readdirSync(folder).filter((name) => name.endsWith('.sse'));

export function recording(name: string): Buffer {
  return readFileSync(new URL(name, folder));
}

/** The pieces that bytes fall into when they are cut at these positions. */
export function cut(bytes: Buffer, positions: readonly number[]): Buffer[] {
  const bounds = [0, ...[...positions].sort((a, b) => a - b), bytes.length];
  return bounds.slice(1).map((end, index) => bytes.subarray(bounds[index], end));
}

/** What each read brings, and how it ends: as `CompletionStream` reads a body, without a network. */
export function decodeReads(pieces: readonly Uint8Array[]): {
  readonly reads: ProviderEvents[];
  readonly decoder: StreamDecoder;
  readonly failure: ChatFailure | null;
} {
  const decoder = new StreamDecoder({ provider: 'openai', model: 'gpt-4o-mini', apiKey: 'sk-test' }, 'req_1');
  const reads: ProviderEvents[] = [];
  const take = (events: ProviderEvents | null): void => {
    if (events !== null) reads.push(events);
  };
  for (const piece of pieces) {
    if (decoder.done || decoder.failure !== null) break;
    take(decoder.push(piece));
  }
  if (!decoder.done && decoder.failure === null) take(decoder.end());
  return { reads, decoder, failure: decoder.failure };
}
