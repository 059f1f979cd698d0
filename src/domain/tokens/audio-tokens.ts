import type { TokenRange } from './image-tokens.ts';

/** The provider's rule for audio input: one token per tenth of a second. */
const TOKENS_PER_SECOND = 10;
/** Bytes per second of compressed speech: 320, 64 and 8 kbit/s. The first and the last are the bounds of MP3. */
const COMPRESSED = { dense: 40_000, usual: 8_000, sparse: 1_000 };
const WAV_HEAD_BYTES = 44;

/** Input tokens of a recording: exact from the header of a WAV file, for other formats a range from the number of bytes. */
export function audioTokens(file: Uint8Array | null): TokenRange & { readonly likely: number } {
  const bytes = file?.byteLength ?? 0;
  const perSecond = file === null ? null : wavBytesPerSecond(file);
  const tokens = (bytesPerSecond: number) => Math.ceil((bytes / bytesPerSecond) * TOKENS_PER_SECOND);
  if (perSecond !== null) {
    const exact = tokens(perSecond);
    return { least: exact, likely: exact, most: exact };
  }
  return {
    least: tokens(COMPRESSED.dense),
    likely: tokens(COMPRESSED.usual),
    most: tokens(COMPRESSED.sparse),
  };
}

function wavBytesPerSecond(file: Uint8Array): number | null {
  if (file.byteLength < WAV_HEAD_BYTES) return null;
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const isWav =
    view.getUint32(0) === 0x52494646 && view.getUint32(8) === 0x57415645 && view.getUint32(12) === 0x666d7420;
  const perSecond = view.getUint32(28, true);
  return isWav && perSecond > 0 ? perSecond : null;
}
