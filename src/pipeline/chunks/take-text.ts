const encoder = new TextEncoder();
let scratch = new Uint8Array(0);

/**
 * The end of a slice that takes at most so many bytes of UTF-8. Never inside a surrogate pair.
 *
 * @returns `from` if not even one character fits
 */
export function textEnd(text: string, from: number, maxBytes: number): number {
  // A UTF-16 unit takes at least one byte.
  const candidate = text.slice(from, from + maxBytes);
  let end = from + candidate.length;
  if (Buffer.byteLength(candidate) > maxBytes) {
    if (scratch.byteLength < maxBytes) scratch = new Uint8Array(maxBytes);
    end = from + encoder.encodeInto(candidate, scratch.subarray(0, maxBytes)).read;
  }
  return end > from && cutsPair(text, end) ? end - 1 : end;
}

function cutsPair(text: string, at: number): boolean {
  if (at >= text.length) return false;
  const before = text.charCodeAt(at - 1);
  const after = text.charCodeAt(at);
  return before >= 0xd800 && before <= 0xdbff && after >= 0xdc00 && after <= 0xdfff;
}
