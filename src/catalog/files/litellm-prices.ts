import { Big } from 'big.js';
import { readComponents } from './litellm-components.ts';
import { isObject, type LiteLlmObject, type LiteLlmValue } from './litellm-values.ts';
import type { PriceEntry, PriceFile } from './price-file.ts';

/** Calls of other kinds (embeddings, images, speech, …) are not priced by chat tokens. */
const pricedModes: ReadonlySet<string> = new Set(['chat', 'completion', 'responses']);

/** Members that identify the model. */
const identifyingKeys: ReadonlySet<string> = new Set(['litellm_provider', 'mode', 'source']);

/** Whether a JSON value is LiteLLM's object of models. */
export function isLiteLlmFile(content: unknown): boolean {
  if (typeof content !== 'object' || content === null || Array.isArray(content)) return false;
  return Object.values(content).some(
    (entry) => typeof entry === 'object' && entry !== null && 'litellm_provider' in entry,
  );
}

/**
 * Reads LiteLLM's `model_prices_and_context_window.json`: an object by model, in dollars per token. It does not say since when
 * a price applies. The result lists each model without an exact price, with the reason, and each unused key with the number of
 * models that have it.
 *
 * @param text JSON whose root is an object
 * @param fileName the source of prices that name no source
 */
export function readLiteLlmPrices(text: string, fileName: string): PriceFile {
  const read = Object.entries(parseExactly(text)).map(([key, entry]) => readModel(key, entry, fileName));
  const named = Map.groupBy(read, ({ name }) => name);
  const entries: PriceEntry[] = [];
  const unpriced: { name: string; reason: string }[] = [];
  for (const [name, found] of named) {
    const [first] = found;
    if (first === undefined) continue;
    const problem = found.find((one) => 'reason' in one) ?? first;
    if ('reason' in problem) unpriced.push({ name, reason: problem.reason });
    else if (found.some((one) => figuresOf(one) !== figuresOf(first)))
      unpriced.push({
        name,
        reason: `${found.map(({ key }) => key).join(' and ')} are the same model with different prices`,
      });
    else entries.push(problem.price);
  }
  return { entries, unpriced, unusedKeys: countKeys(read.flatMap(({ unusedKeys }) => unusedKeys)) };
}

type ReadModel = {
  /** As in the file. */
  readonly key: string;
  /** `provider/model` */
  readonly name: string;
  readonly unusedKeys: readonly string[];
} & ({ readonly price: PriceEntry } | { readonly reason: string });

function readModel(key: string, entry: LiteLlmValue, fileName: string): ReadModel {
  if (!isObject(entry)) return { key, name: key, unusedKeys: [], reason: 'it is not an object' };
  const { litellm_provider: provider, mode, source } = entry;
  if (typeof provider !== 'string' || !/^[\w-]+$/.test(provider)) {
    return {
      key,
      name: key,
      unusedKeys: Object.keys(entry),
      reason: 'its litellm_provider names no provider',
    };
  }
  const model = key.startsWith(`${provider}/`) ? key.slice(provider.length + 1) : key;
  const name = `${provider}/${model}`;
  const members = Object.fromEntries(
    Object.entries(entry).filter(([member]) => !identifyingKeys.has(member)),
  );
  const { usedKeys, result } = readComponents(members);
  const unusedKeys = Object.keys(members).filter((member) => !usedKeys.has(member));
  if (typeof mode !== 'string' || !pricedModes.has(mode)) {
    return { key, name, unusedKeys, reason: `its mode is ${mode ?? 'missing'}, not chat` };
  }
  if ('reason' in result) return { key, name, unusedKeys, reason: result.reason };
  const price: PriceEntry = {
    provider,
    model,
    currency: 'USD',
    effectiveFrom: null,
    effectiveTo: null,
    ...result,
    source: typeof source === 'string' && source !== '' ? source : fileName,
  };
  return { key, name, unusedKeys, price };
}

/** The figures that two entries of one model must share. */
function figuresOf(read: ReadModel): string {
  if (!('price' in read)) return '';
  const { components, tiers, serviceTiers, regionalUplift } = read.price;
  return JSON.stringify(sorted({ components, tiers, serviceTiers, regionalUplift }));
}

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(sorted);
  const members = Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1));
  return Object.fromEntries(members.map(([key, member]) => [key, sorted(member)]));
}

function countKeys(keys: readonly string[]): { key: string; models: number }[] {
  return [...Map.groupBy(keys, (key) => key)]
    .map(([key, found]) => ({ key, models: found.length }))
    .toSorted((one, other) => (one.key < other.key ? -1 : 1));
}

/** Parses JSON without floating point: each number is read from its digits. */
function parseExactly(text: string): LiteLlmObject {
  // Without its text, Big refuses a number: the float is never used.
  const exact = (_key: string, value: unknown, context?: { readonly source?: string }) =>
    typeof value === 'number' ? new Big(context?.source ?? '') : value;
  return JSON.parse(text, exact) as LiteLlmObject;
}
