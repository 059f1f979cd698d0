import type { ChatChunk, ChatResponse } from '../../contract/record-types.ts';

/** A piece of the text of one choice. */
interface TextPiece {
  readonly choice: number;
  readonly text: string;
}

/** Where a reader of the log has come to. */
export interface LogCursor {
  generation: number;
  piece: number;
}

/** What a reader finds at its cursor; null when it has to wait. */
export type LogEntry =
  | { readonly kind: 'text'; readonly choice: number; readonly text: string }
  | { readonly kind: 'restart'; readonly attempt: number };

/**
 * The text of an answer as it arrives. Every reader has a cursor of its own and takes all pieces that came since as one, so that
 * a slow reader costs no memory beyond the answer.
 *
 * Chunks come at least once, in order; a higher attempt makes all lower ones void. A missing chunk is made up for by the response.
 */
export class AnswerLog {
  private attempt = 0;
  private nextSequence = 0;
  private hasGap = false;
  private isTextComplete = false;
  /** An attempt that broke off has a last chunk, too, but no finish reason. */
  private hasFinishReason = false;
  /** Late repetitions of chunks change nothing. */
  private isEnded = false;
  /** Counts the attempts that readers have seen something of. */
  private generation = 0;
  private pieces: TextPiece[] = [];
  private changed = Promise.withResolvers<void>();

  /** Whether no more text follows, unless a later attempt begins all the same. */
  get isComplete(): boolean {
    return this.isTextComplete;
  }

  start(): LogCursor {
    return { generation: this.generation, piece: 0 };
  }

  /** Resolves when there may be something new. */
  change(): Promise<void> {
    return this.changed.promise;
  }

  /** For what is not in the log, but its readers wait for as well. */
  wake(): void {
    const { resolve } = this.changed;
    this.changed = Promise.withResolvers<void>();
    resolve();
  }

  textOf(choice: number): string {
    return this.pieces
      .filter((piece) => piece.choice === choice)
      .map(({ text }) => text)
      .join('');
  }

  add(chunk: ChatChunk): void {
    if (this.isEnded || chunk.attempt < this.attempt) return;
    if (chunk.attempt > this.attempt) this.begin(chunk.attempt);
    if (this.hasGap || chunk.sequence < this.nextSequence) return;
    this.hasGap = chunk.sequence > this.nextSequence;
    if (this.hasGap) return;
    this.nextSequence += 1;
    if (chunk.content !== '') this.pieces.push({ choice: chunk.choiceIndex, text: chunk.content });
    this.hasFinishReason ||= chunk.finishReason !== null;
    if (chunk.last && this.hasFinishReason) this.isTextComplete = true;
    this.wake();
  }

  /** Adds what the chunks have not brought, as for an answer without chunks. */
  complete({ choices, acceptedAttempt, omitted }: ChatResponse): void {
    if (acceptedAttempt !== null && acceptedAttempt > this.attempt) this.begin(acceptedAttempt);
    const isWhole = !omitted.includes('content');
    const fits = choices.every(({ index, content }) => (content ?? '').startsWith(this.textOf(index)));
    // Text of another attempt than the one that counts.
    if (isWhole && !fits) this.begin(this.attempt);
    for (const { index, content } of isWhole ? choices : []) {
      const rest = (content ?? '').slice(this.textOf(index).length);
      if (rest !== '') this.pieces.push({ choice: index, text: rest });
    }
    this.end();
  }

  /** Nothing more comes. */
  end(): void {
    this.isEnded = true;
    this.isTextComplete = true;
    this.wake();
  }

  /** Moves the cursor over what it returns. */
  read(cursor: LogCursor): LogEntry | null {
    if (cursor.generation !== this.generation) {
      const hasSeen = cursor.piece > 0;
      cursor.generation = this.generation;
      cursor.piece = 0;
      if (hasSeen) return { kind: 'restart', attempt: this.attempt };
    }
    const first = this.pieces[cursor.piece];
    if (first === undefined) return null;
    const texts: string[] = [];
    for (let next: TextPiece | undefined = first; next?.choice === first.choice; ) {
      texts.push(next.text);
      cursor.piece += 1;
      next = this.pieces[cursor.piece];
    }
    return { kind: 'text', choice: first.choice, text: texts.join('') };
  }

  private begin(attempt: number): void {
    if (this.pieces.length > 0) {
      this.pieces = [];
      this.generation += 1;
    }
    this.attempt = attempt;
    this.nextSequence = 0;
    this.hasGap = false;
    this.hasFinishReason = false;
    this.isTextComplete = false;
  }
}
