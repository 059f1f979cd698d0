/** Encodings by the names that their publisher gave them. */
export type EncodingName = 'o200k_base' | 'cl100k_base';

export const encodingNames: readonly EncodingName[] = ['o200k_base', 'cl100k_base'];

/** Images in squares of 512 pixels: tokens for the image, and for each square. */
export interface TileRule {
  readonly kind: 'tiles';
  readonly base: number;
  readonly perTile: number;
}

/** Images in patches of 32 pixels: at most so many patches by detail, and tokens for each patch. */
export interface PatchRule {
  readonly kind: 'patches';
  readonly tokensPerPatch: number;
  /** At detail `low`. */
  readonly lowPatches: number;
  /** At detail `high`; `auto` too. */
  readonly highPatches: number;
  /** At detail `original`. */
  readonly originalPatches: number;
}

export type ImageRule = TileRule | PatchRule;

/** How the provider counts the input of a family of models. */
export interface TokenRules {
  readonly encoding: EncodingName;
  readonly images: ImageRule;
}

const tiles = (base: number, perTile: number): TileRule => ({ kind: 'tiles', base, perTile });

/** The most patches of an image, before `original` became a detail, and still for small models. */
const PATCHES = 1_536;

const patches = (
  tokensPerPatch: number,
  highPatches = PATCHES,
  originalPatches = highPatches,
): PatchRule => ({
  kind: 'patches',
  tokensPerPatch,
  lowPatches: 256,
  highPatches,
  originalPatches,
});

/**
 * By the start of the model's id: the longest match applies. Sources: the provider's guide to images and its tokenizer's list
 * of models. For other models see `unknownRules`.
 */
const families: Readonly<Record<string, TokenRules>> = {
  'gpt-3.5-turbo': { encoding: 'cl100k_base', images: tiles(85, 170) },
  'gpt-4': { encoding: 'cl100k_base', images: tiles(85, 170) },
  'gpt-4o': { encoding: 'o200k_base', images: tiles(85, 170) },
  'gpt-4o-mini': { encoding: 'o200k_base', images: tiles(2_833, 5_667) },
  'gpt-4.1': { encoding: 'o200k_base', images: tiles(85, 170) },
  'gpt-4.1-mini': { encoding: 'o200k_base', images: patches(1.62) },
  'gpt-4.1-nano': { encoding: 'o200k_base', images: patches(2.46) },
  'gpt-4.5': { encoding: 'o200k_base', images: tiles(85, 170) },
  o1: { encoding: 'o200k_base', images: tiles(75, 150) },
  o3: { encoding: 'o200k_base', images: tiles(75, 150) },
  'o4-mini': { encoding: 'o200k_base', images: patches(1.72) },
  'gpt-5': { encoding: 'o200k_base', images: tiles(70, 140) },
  'gpt-5-mini': { encoding: 'o200k_base', images: patches(1.62) },
  'gpt-5-nano': { encoding: 'o200k_base', images: patches(2.46) },
};

/** The encoding of all recent models, and the largest images that a current family accepts. */
const unknownRules: TokenRules = { encoding: 'o200k_base', images: patches(2.46, 2_500, 10_000) };

const longestFirst = Object.entries(families).toSorted(([one], [other]) => other.length - one.length);

/** The rules of a model by its id. Fine-tuned models (`ft:gpt-4o:…`) have the rules of their base. Other models get bounds. */
export function tokenRules(model: string): TokenRules {
  const base = model.startsWith('ft:') ? (model.split(':')[1] ?? '') : model;
  return longestFirst.find(([family]) => isOf(family, base))?.[1] ?? unknownRules;
}

/** Whether the encoding of a model is known from its id, and not assumed. */
export function knowsEncoding(model: string): boolean {
  return tokenRules(model) !== unknownRules;
}

/** `gpt-4o-2024-11-20` is of `gpt-4o`; `gpt-5.6` is not of `gpt-5`, nor is `gpt-4o` of `gpt-4`. */
function isOf(family: string, model: string): boolean {
  return model === family || model.startsWith(`${family}-`);
}
