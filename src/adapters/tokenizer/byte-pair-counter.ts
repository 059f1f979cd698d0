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
const BYTE_VALUES = 256;

/** What was counted of a text before its work was done. */
export interface PartCount {
  readonly tokens: number;
  /** The text's characters (UTF-16 units) up to where the counting ended. */
  readonly characters: number;
  /** About a tenth of a microsecond each: one for a piece, some for each byte that had to be merged. */
  readonly work: number;
}

/** Counts a text's tokens, to the end of the piece with which `maxWork` is used up. */
export type CountPart = (text: string, maxWork: number) => PartCount;

const WORK_PER_PIECE = 1;
/** A byte that is merged takes so many times as long as a piece that is a token as it is. */
const WORK_PER_BYTE = 4;

/**
 * Counts the tokens that a text has in a byte pair encoding. Special tokens are counted as the plain text that they are
 * in a request, lone surrogates as the replacement character that they are sent as. Nothing of a text is kept here.
 */
export function createBytePairCounter({ tokens, pieces }: Vocabulary): CountPart {
  const wholeTexts = new Set<string>();
  let longestToken = 0;
  /** By bytes, as text with a character for each. */
  const ranks = new Map<string, number>();
  for (const [rank, token] of tokens.entries()) {
    if (typeof token === 'string') {
      wholeTexts.add(token);
      longestToken = Math.max(longestToken, token.length);
      const bytes = bytesOf(token);
      // One string for both, which saves some megabytes.
      ranks.set(bytes === token ? token : bytes, rank);
    } else if (token !== undefined) ranks.set(String.fromCharCode(...token), rank);
  }

  const mergedLength = createMerger(ranks);
  // An expression of its own, since it remembers where it is.
  const nextPiece = new RegExp(pieces);
  return (text, maxWork) => {
    let count = 0;
    let work = 0;
    const merge = (part: string): number => {
      const bytes = bytesOf(part);
      work += WORK_PER_BYTE * bytes.length;
      return mergedLength(bytes);
    };
    /** @returns where it ended: in the middle of a long piece when there is no work left */
    const countPiece = (start: number, end: number): number => {
      work += WORK_PER_PIECE;
      const isLong = end - start > LONGEST_PIECE;
      if (!isLong) {
        const piece = text.slice(start, end);
        count += wholeTexts.has(piece) ? 1 : merge(piece);
        return end;
      }
      if (end - start <= longestToken && wholeTexts.has(text.slice(start, end))) {
        count += 1;
        return end;
      }
      // Parts of a run of one character are all alike.
      let lastPart = '';
      let lastCount = 0;
      let at = start;
      while (at < end && work < maxWork) {
        const part = text.slice(at, endOfPart(text, at, end));
        if (part !== lastPart) lastCount = merge(part);
        work += WORK_PER_PIECE;
        lastPart = part;
        count += lastCount;
        at += part.length;
      }
      return at;
    };

    let start = 0;
    nextPiece.lastIndex = 0;
    while (work < maxWork && nextPiece.test(text)) {
      const end = nextPiece.lastIndex;
      start = countPiece(start, end);
      if (start < end) break;
    }
    return { tokens: count, characters: start, work };
  };
}

function pairOf(bytes: string, at: number): number {
  return bytes.charCodeAt(at) * BYTE_VALUES + bytes.charCodeAt(at + 1);
}

function bytesOf(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** Never between the halves of a character. */
function endOfPart(text: string, start: number, pieceEnd: number): number {
  const end = start + LONGEST_PIECE;
  if (end >= pieceEnd) return pieceEnd;
  const unit = text.charCodeAt(end - 1);
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
  // Every merge begins with pairs of bytes: looked up without making a text of each.
  const pairs = new Int32Array(BYTE_VALUES * BYTE_VALUES).fill(NO_RANK);
  for (const [token, rank] of ranks) if (token.length === 2) pairs[pairOf(token, 0)] = rank;

  return (bytes) => {
    const rankAt = (index: number): number => {
      if (index + 1 >= count) return NO_RANK;
      const start = starts[index] as number;
      const end = starts[index + 2] as number;
      if (end - start === 2) return pairs[pairOf(bytes, start)] as number;
      return ranks.get(bytes.slice(start, end)) ?? NO_RANK;
    };
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
