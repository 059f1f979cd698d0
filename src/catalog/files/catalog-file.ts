import { z } from 'zod';
import { isExactInRegions } from '../../domain/cost/regional-price.ts';
import { capabilities } from '../stores.ts';
import { isLiteLlmFile, readLiteLlmPrices } from './litellm-prices.ts';
import type { PriceFile } from './price-file.ts';

/** A file of models or prices: its text, and a name for messages. */
export interface CatalogFile {
  readonly name: string;
  readonly text: string;
}

/** A file that cannot be imported. None of it was. */
export class InvalidCatalogFile extends Error {
  override readonly name = 'InvalidCatalogFile';
  /** Every problem, each with its place, such as `[3].components.input: …`. */
  readonly problems: readonly string[];

  constructor(file: string, problems: readonly string[]) {
    super(
      `${file} cannot be imported, and none of it was:\n${problems.map((problem) => `  ${problem}`).join('\n')}`,
    );
    this.problems = problems;
  }
}

const decimal = (digits: number) =>
  z
    .string('must be decimal text in quotes, such as "2.5"')
    .regex(
      new RegExp(`^\\d{1,9}(\\.\\d{1,${digits}})?$`),
      `must be decimal text with at most 9 digits before the point and ${digits} after it, such as "2.5"`,
    )
    .transform(withoutPadding);

// Cost events hold 12 decimals, which leaves 6 for a price per million tokens.
const amount = decimal(6);
const feePerCall = decimal(12);

/** An instant as text, read as epoch ms. */
export const instant = z
  .union(
    [z.iso.date(), z.iso.datetime({ offset: true })],
    'must be an ISO 8601 date or time, such as "2025-08-07" (UTC) or "2025-08-07T09:00:00Z"',
  )
  .transform((text) => Date.parse(text));

const name = z.string('must be text').trim().min(1, 'must not be empty');

const components = z.strictObject({
  input: amount,
  output: amount,
  cachedInput: amount.exactOptional(),
  cacheWrite: amount.exactOptional(),
  inputAudio: amount.exactOptional(),
  outputAudio: amount.exactOptional(),
  inputImage: amount.exactOptional(),
  reasoning: amount.exactOptional(),
  webSearch: feePerCall.exactOptional(),
  webSearchLow: feePerCall.exactOptional(),
  webSearchHigh: feePerCall.exactOptional(),
  fileSearch: feePerCall.exactOptional(),
  request: feePerCall.exactOptional(),
});

const tiers = z
  .array(z.strictObject({ aboveInputTokens: z.int('must be a whole number').positive(), components }))
  .min(1, 'must have an entry, or be left out')
  .refine(
    (list) => new Set(list.map(({ aboveInputTokens }) => aboveInputTokens)).size === list.length,
    'must not name the same aboveInputTokens twice',
  )
  .transform((list) => list.toSorted((one, other) => one.aboveInputTokens - other.aboveInputTokens))
  .exactOptional();

const price = z
  .strictObject({
    provider: name,
    model: name,
    currency: z.string().regex(/^[A-Z]{3}$/, 'must be an ISO 4217 code, such as "USD"'),
    effectiveFrom: instant,
    effectiveTo: instant.nullable().default(null),
    components,
    tiers,
    serviceTiers: z.record(name, z.strictObject({ components, tiers })).exactOptional(),
    regionalUplift: z
      .record(
        z.string().regex(/^[a-z]{2,8}$/, 'must be the name of a region in the endpoint, such as "eu"'),
        decimal(6),
      )
      .exactOptional(),
    source: name,
    supersedes: name.exactOptional(),
  })
  .refine(({ effectiveFrom, effectiveTo }) => effectiveTo === null || effectiveTo > effectiveFrom, {
    path: ['effectiveTo'],
    error: 'must be later than effectiveFrom: effectiveFrom is inclusive, effectiveTo is exclusive',
  })
  .refine(isExactInRegions, {
    path: ['regionalUplift'],
    error: 'makes a price of more than 6 decimals per million tokens',
  });

const tokenCount = z.int('must be a whole number').positive().nullable();

const model = z.strictObject({
  provider: name,
  id: name,
  contextWindow: tokenCount,
  maxOutputTokens: tokenCount,
  maxTokensParameter: z.enum(['max_completion_tokens', 'max_tokens']).nullable(),
  refusedParameters: z.array(name),
  refusedWhileReasoning: z.array(name).default([]),
  defaultReasoningEffort: name.nullable().default(null),
  capabilities: z.array(z.enum(capabilities)),
  aliases: z.array(name).default([]),
  snapshot: name.nullable().default(null),
  shutdownAt: instant.nullable().default(null),
});

/** Entries of a model file. */
export type ModelEntry = z.output<typeof model>;

/**
 * Reads a file in our own format, or LiteLLM's `model_prices_and_context_window.json`.
 *
 * @throws InvalidCatalogFile with every problem at once
 */
export function readPriceFile(file: CatalogFile): PriceFile {
  const content = parse(file);
  if (isLiteLlmFile(content)) return readLiteLlmPrices(file.text, file.name);
  const prices = z.array(price, 'must be a list of prices, or LiteLLM’s object of models');
  return { entries: check(file, content, prices), unpriced: [], unusedKeys: [] };
}

/** @throws InvalidCatalogFile with every problem at once */
export function readModelFile(file: CatalogFile): ModelEntry[] {
  const models = check(file, parse(file), z.array(model, 'must be a list of models'));
  const places = models.flatMap(({ provider, id, aliases }, index) => [
    { name: `${provider}/${id}`, place: `[${index}]` },
    ...aliases.map((alias, at) => ({ name: `${provider}/${alias}`, place: `[${index}].aliases[${at}]` })),
  ]);
  const repeated = [...Map.groupBy(places, (one) => one.name)].filter(([, list]) => list.length > 1);
  if (repeated.length === 0) return models;
  throw new InvalidCatalogFile(
    file.name,
    repeated.map(
      ([key, list]) =>
        `${key} is listed ${list.length} times, at ${list.map(({ place }) => place).join(', ')}`,
    ),
  );
}

function parse({ name: fileName, text }: CatalogFile): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new InvalidCatalogFile(fileName, [`not JSON: ${(error as SyntaxError).message}`]);
  }
}

function check<Entries>(file: CatalogFile, content: unknown, schema: z.ZodType<Entries>): Entries {
  const result = schema.safeParse(content);
  if (result.success) return result.data;
  throw new InvalidCatalogFile(
    file.name,
    result.error.issues.map(({ path, message }) => `${placeOf(path)}: ${message}`),
  );
}

function placeOf(path: readonly PropertyKey[]): string {
  if (path.length === 0) return 'the file';
  return path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('');
}

/** 2.50 and 2.5 are the same price. */
function withoutPadding(text: string): string {
  const [whole = '', fraction = ''] = text.split('.');
  const digits = fraction.replace(/0+$/, '');
  return whole.replace(/^0+(?=\d)/, '') + (digits === '' ? '' : `.${digits}`);
}
