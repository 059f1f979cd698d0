/**
 * The offset map lists the accepted offsets above the committed one that are not settled. It is stored as text (metadata) beside
 * the committed offset in the group's coordinator.
 *
 * Form: `v1:<cluster id>:<watermark>:<deltas>[:<topic id>]`. The deltas are base64url of unsigned varints: from the watermark to
 * each further unsettled offset in ascending order, and last to `next`. If nothing is unsettled, the deltas are empty. The last
 * part is the topic's id: a recreated topic has another one.
 */

/** The broker's `offset.metadata.max.bytes`, by default. */
export const MAP_MAX_CHARACTERS = 4_096;

const VERSION = 'v1';

export interface OffsetSnapshot {
  /** The lowest unsettled offset; `next` if nothing is unsettled. */
  readonly watermark: number;
  /** Ascending; starts with the watermark unless empty. */
  readonly unsettled: readonly number[];
  /** The offset after the last accepted record. */
  readonly next: number;
}

/** A newer version of the service wrote the map, or the map is damaged. Continuing could lose or repeat outcomes. */
export class UnreadableOffsetMap extends Error {
  override readonly name = 'UnreadableOffsetMap';
}

/** Bytes that a delta takes. Never grows when neighbouring deltas merge: size(a + b) <= size(a) + size(b). */
export function deltaBytes(delta: number): number {
  let bytes = 1;
  for (let rest = delta; rest >= 128; rest = Math.floor(rest / 128)) bytes += 1;
  return bytes;
}

/** Characters of a topic's id as base64url text. */
const TOPIC_ID_CHARACTERS = 22;

/** Bytes of the largest delta there can be. */
export const LONGEST_DELTA_BYTES = deltaBytes(Number.MAX_SAFE_INTEGER);

/** How many bytes of deltas fit into a map beside its other parts. */
export function deltaCapacity(clusterId: string): number {
  const rest = `${VERSION}:${clusterId}:${Number.MAX_SAFE_INTEGER}::`.length + TOPIC_ID_CHARACTERS;
  return Math.floor(((MAP_MAX_CHARACTERS - rest) * 3) / 4);
}

/** @param topicId null if the broker has no topic ids */
export function encodeOffsetMap(clusterId: string, topicId: string | null, snapshot: OffsetSnapshot): string {
  const bytes: number[] = [];
  if (snapshot.unsettled.length > 0) {
    let previous = snapshot.watermark;
    for (const offset of snapshot.unsettled) {
      if (offset === snapshot.watermark) continue;
      pushVarint(bytes, offset - previous);
      previous = offset;
    }
    pushVarint(bytes, snapshot.next - previous);
  }
  const topic = topicId === null ? '' : `:${topicId}`;
  return `${VERSION}:${clusterId}:${snapshot.watermark}:${toBase64Url(bytes)}${topic}`;
}

/**
 * Reads the map that is stored beside a committed offset.
 *
 * @returns null if the map does not belong to this offset in this cluster: none was written, an operator moved the offset, or
 *   offsets were copied from another cluster. Everything from the offset on then counts as unsettled, and the ledger prevents
 *   repeated outcomes.
 * @throws UnreadableOffsetMap for an unknown version or damaged text
 */
export function decodeOffsetMap(
  text: string,
  clusterId: string,
  committedOffset: number,
): (OffsetSnapshot & { readonly topicId: string | null }) | null {
  if (text === '') return null;
  const [version, cluster, watermarkText, deltas, topicId = null, ...rest] = text.split(':');
  if (version !== VERSION) {
    throw new UnreadableOffsetMap(
      `the offset map has version "${(version ?? '').slice(0, 16)}", but this service reads ${VERSION}: a newer version wrote it; run that version`,
    );
  }
  const watermark = Number(watermarkText);
  if (deltas === undefined || rest.length > 0 || !Number.isSafeInteger(watermark) || watermark < 0) {
    throw new UnreadableOffsetMap('the offset map is damaged: it has the wrong number of parts');
  }
  if (cluster !== clusterId || watermark !== committedOffset) return null;
  const unsettled: number[] = [];
  let position = watermark;
  for (const delta of readVarints(fromBase64Url(deltas))) {
    unsettled.push(position);
    position += delta;
  }
  return { watermark, unsettled, next: position, topicId };
}

function pushVarint(bytes: number[], value: number): void {
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
}

function* readVarints(bytes: Uint8Array): Generator<number> {
  let value = 0;
  let factor = 1;
  for (const byte of bytes) {
    value += (byte % 128) * factor;
    if (byte >= 128) {
      factor *= 128;
      continue;
    }
    if (value === 0) throw new UnreadableOffsetMap('the offset map is damaged: it repeats an offset');
    yield value;
    value = 0;
    factor = 1;
  }
  if (factor !== 1)
    throw new UnreadableOffsetMap('the offset map is damaged: it ends in the middle of a number');
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

function toBase64Url(bytes: readonly number[]): string {
  let text = '';
  for (let index = 0; index < bytes.length; index += 3) {
    const [a = 0, b, c] = [bytes[index], bytes[index + 1], bytes[index + 2]];
    text += ALPHABET.charAt(a >> 2) + ALPHABET.charAt(((a & 3) << 4) | ((b ?? 0) >> 4));
    if (b !== undefined) text += ALPHABET.charAt(((b & 15) << 2) | ((c ?? 0) >> 6));
    if (c !== undefined) text += ALPHABET.charAt(c & 63);
  }
  return text;
}

function fromBase64Url(text: string): Uint8Array {
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4));
  let bits = 0;
  let held = 0;
  let length = 0;
  for (const character of text) {
    const value = ALPHABET.indexOf(character);
    if (value < 0)
      throw new UnreadableOffsetMap(`the offset map is damaged: it has the character "${character}"`);
    held = ((held << 6) | value) & 0xfff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes[length] = (held >> bits) & 0xff;
      length += 1;
    }
  }
  return bytes.subarray(0, length);
}
