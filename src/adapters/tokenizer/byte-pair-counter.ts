/** What an encoding is made of. */
export interface Vocabulary {
  /** By rank: a token's text, or its bytes where these are no whole characters. The lower rank is merged first. */
  readonly tokens: readonly (string | readonly number[])[];
  /** Cuts a text into pieces that are encoded one by one; has the flags g and u and matches every character. */
  readonly pieces: RegExp;
}

/**
 * Merging takes time quadratic in a piece's length. Longer ones, which are no words but long runs of one kind of
 * character, are merged in parts of this many characters: a token or so too many for each.
 */
const LONGEST_PIECE = 64;
/** One more character so that none is cut in two; UTF-8 has three bytes for each half of a pair at most. */
const MOST_BYTES = (LONGEST_PIECE + 1) * 3;
const NO_RANK = 0x7fffffff;

/**
 * Counts the tokens that a text has in a byte pair encoding. Special tokens are counted as the plain text that they are
 * in a request, lone surrogates as the replacement character that they are sent as. Nothing of a text is kept here.
 */
export function createBytePairCounter({ tokens, pieces }: Vocabulary): (text: string) => number {
  const wholeTexts = new Set<string>();
  /** By bytes, as text with a character for each. */
  const ranks = new Map<string, number>();
  for (const [rank, token] of tokens.entries()) {
    if (typeof token === 'string') {
      wholeTexts.add(token);
      const bytes = bytesOf(token);
      // One string for both, which saves some megabytes.
      ranks.set(bytes === token ? token : bytes, rank);
    } else if (token !== undefined) ranks.set(String.fromCharCode(...token), rank);
  }

  const mergedLength = createMerger(ranks);
  const countPiece = (piece: string): number => {
    if (wholeTexts.has(piece)) return 1;
    if (piece.length <= LONGEST_PIECE) return mergedLength(bytesOf(piece));
    let count = 0;
    // Parts of a run of one character are all alike.
    let lastPart = '';
    let lastCount = 0;
    for (let start = 0; start < piece.length; start += lastPart.length) {
      const part = piece.slice(start, endOfPart(piece, start));
      if (part !== lastPart) lastCount = mergedLength(bytesOf(part));
      lastPart = part;
      count += lastCount;
    }
    return count;
  };

  // An expression of its own, since it remembers where it is.
  const nextPiece = new RegExp(pieces);
  return (text) => {
    let count = 0;
    let start = 0;
    nextPiece.lastIndex = 0;
    while (nextPiece.test(text)) {
      count += countPiece(text.slice(start, nextPiece.lastIndex));
      start = nextPiece.lastIndex;
    }
    return count;
  };
}

function bytesOf(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** Never between the halves of a character. */
function endOfPart(piece: string, start: number): number {
  const end = start + LONGEST_PIECE;
  if (end >= piece.length) return piece.length;
  const unit = piece.charCodeAt(end - 1);
  return unit >= 0xd800 && unit < 0xdc00 ? end + 1 : end;
}

/**
 * Merges pieces of limited length, again and again the two neighbours whose union has the lowest rank. Its lists are made
 * once, since counting a text makes many merges.
 */
function createMerger(ranks: ReadonlyMap<string, number>): (bytes: string) => number {
  /** Where each token begins, and after the last one where the piece ends. */
  const starts = new Int32Array(MOST_BYTES + 1);
  /** The rank of the union of each token and the next one. */
  const unions = new Int32Array(MOST_BYTES);

  return (bytes) => {
    const rankAt = (index: number) =>
      index + 1 < count ? (ranks.get(bytes.slice(starts[index], starts[index + 2])) ?? NO_RANK) : NO_RANK;
    let count = bytes.length;
    for (let index = 0; index <= count; index += 1) starts[index] = index;
    for (let index = 0; index < count; index += 1) unions[index] = rankAt(index);
    for (;;) {
      let lowest = NO_RANK;
      let at = 0;
      for (let index = 0; index < count; index += 1) {
        const rank = unions[index] as number;
        if (rank < lowest) {
          lowest = rank;
          at = index;
        }
      }
      if (lowest === NO_RANK) return count;
      starts.copyWithin(at + 1, at + 2, count + 1);
      unions.copyWithin(at + 1, at + 2, count);
      count -= 1;
      unions[at] = rankAt(at);
      if (at > 0) unions[at - 1] = rankAt(at - 1);
    }
  };
}
