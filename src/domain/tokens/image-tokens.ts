import type { ImageSize } from './image-size.ts';
import type { ImageRule, PatchRule, TileRule } from './token-rules.ts';

/** Tokens between two bounds, which are equal if the number is known. */
export interface TokenRange {
  readonly least: number;
  readonly most: number;
}

const TILE_PIXELS = 512;
const LONG_SIDE_PIXELS = 2_048;
const SHORT_SIDE_PIXELS = 768;
/** An image of 768 x 2,048 pixels. */
const MOST_TILES = 8;
const PATCH_PIXELS = 32;

/**
 * Input tokens of an image by its family's published rule. If the detail is auto the provider chooses, and may choose high.
 *
 * @param detail as requested: auto, low, high, original; null is auto
 * @param size null if unknown, as for an image that only the provider fetches
 */
export function imageTokens(rule: ImageRule, detail: string | null, size: ImageSize | null): TokenRange {
  const full = rule.kind === 'tiles' ? tileTokens(rule, detail, size) : patchTokens(rule, detail, size);
  if (detail === 'low' || detail === 'high' || detail === 'original') return full;
  const low = imageTokens(rule, 'low', size);
  return { least: Math.min(low.least, full.least), most: Math.max(low.most, full.most) };
}

function tileTokens({ base, perTile }: TileRule, detail: string | null, size: ImageSize | null): TokenRange {
  if (detail === 'low') return { least: base, most: base };
  if (size === null) return { least: base + perTile, most: base + perTile * MOST_TILES };
  const tokens = base + perTile * countTiles(size);
  return { least: tokens, most: tokens };
}

/** Images are only scaled down: to a long side of 2,048 pixels, then to a short side of 768. */
function countTiles({ width, height }: ImageSize): number {
  const toLongSide = Math.min(1, LONG_SIDE_PIXELS / Math.max(width, height));
  const scale = Math.min(toLongSide, SHORT_SIDE_PIXELS / Math.min(width, height));
  return count(width * scale, TILE_PIXELS) * count(height * scale, TILE_PIXELS);
}

function patchTokens(rule: PatchRule, detail: string | null, size: ImageSize | null): TokenRange {
  const budget = patchBudget(rule, detail);
  const tokens = (patchCount: number) => Math.ceil(patchCount * rule.tokensPerPatch);
  if (size === null) return { least: tokens(1), most: tokens(budget) };
  const exact = tokens(countPatches(size, budget));
  return { least: exact, most: exact };
}

function patchBudget(rule: PatchRule, detail: string | null): number {
  if (detail === 'low') return rule.lowPatches;
  return detail === 'original' ? rule.originalPatches : rule.highPatches;
}

/** An image with more patches than the budget is scaled down until one of its sides is a whole number of patches. */
function countPatches({ width, height }: ImageSize, budget: number): number {
  const patchCount = count(width, PATCH_PIXELS) * count(height, PATCH_PIXELS);
  if (patchCount <= budget) return patchCount;
  const shrink = Math.sqrt((budget * PATCH_PIXELS ** 2) / (width * height));
  const across = (width * shrink) / PATCH_PIXELS;
  const down = (height * shrink) / PATCH_PIXELS;
  const toWhole = Math.min(Math.floor(across) / across, Math.floor(down) / down);
  return Math.min(budget, Math.max(1, count(across * toWhole, 1) * count(down * toWhole, 1)));
}

/** How many of `size` cover a length. Rounded down past floating-point noise. */
function count(length: number, size: number): number {
  return Math.max(1, Math.ceil(length / size - 1e-9));
}
