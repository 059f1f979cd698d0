/** What a sample has: long enough that the words cut at its ends hardly count. */
export const WINDOW_CHARACTERS = 256;

/**
 * Tokens of a text by samples that are spread evenly over it.
 *
 * @param budget characters that may be counted: at least one sample, and fewer than the text has
 * @param count null when there is no work left for it
 * @returns null when there was not enough work for all samples: some of them say nothing about the text
 */
export function sampleTokens(
  text: string,
  budget: number,
  count: (sample: string) => number | null,
): number | null {
  const windows = Math.floor(budget / WINDOW_CHARACTERS);
  const distance = (text.length - WINDOW_CHARACTERS) / Math.max(1, windows - 1);
  let tokens = 0;
  for (let index = 0; index < windows; index += 1) {
    const start = Math.floor(index * distance);
    const counted = count(text.slice(start, start + WINDOW_CHARACTERS));
    if (counted === null) return null;
    tokens += counted;
  }
  return Math.ceil((tokens * text.length) / (windows * WINDOW_CHARACTERS));
}
