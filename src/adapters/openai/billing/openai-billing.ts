import { Big } from 'big.js';
import OpenAI, { APIError } from 'openai';
import { z } from 'zod';
import { utcDay } from '../../../domain/cost/spend.ts';
import { GatheredBytes } from '../../../domain/text/gathered-bytes.ts';
import type { BillingQuery, ProviderBilling } from '../../../spend/report/provider-billing.ts';
import { maskSecrets } from '../wire/mask-secrets.ts';

export interface OpenAiBillingOptions {
  readonly adminKey: string;
  readonly organization: string | null;
  /** E.g. https://api.openai.com/v1. */
  readonly baseUrl: string;
}

/** Buckets of a day in one answer, as many as the provider allows. */
const COST_BUCKETS = 180;
const USAGE_BUCKETS = 31;
const DAY_SECONDS = 86_400;
/** Far more than a year of an organization has. */
const MAX_PAGES = 1_000;
const MAX_PAGE_BYTES = 67_108_864;

const page = <Result extends z.ZodType>(result: Result) =>
  z.object({
    data: z.array(z.object({ start_time: z.number(), results: z.array(result) })),
    has_more: z.boolean(),
    next_page: z.string().nullable(),
  });
const costPage = page(
  z.object({
    amount: z.object({ value: z.string(), currency: z.string() }),
    line_item: z.string().nullish(),
  }),
);
const usagePage = page(
  z.object({
    model: z.string().nullish(),
    num_model_requests: z.number(),
    input_tokens: z.number(),
    output_tokens: z.number(),
  }),
);

/**
 * OpenAI's usage and costs of an organization, by day.
 *
 * @see https://platform.openai.com/docs/api-reference/usage
 */
export function createOpenAiBilling(options: OpenAiBillingOptions): ProviderBilling {
  const client = new OpenAI({
    apiKey: null,
    adminAPIKey: options.adminKey,
    organization: options.organization,
    project: null,
    webhookSecret: null,
    baseURL: options.baseUrl,
    maxRetries: 3,
    logLevel: 'off',
  });
  const { usage } = client.admin.organization;

  async function* pages<Page extends { has_more: boolean; next_page: string | null }>(
    ask: (cursor: { page?: string }) => Promise<Response>,
    schema: z.ZodType<Page>,
  ): AsyncGenerator<Page> {
    let cursor: { page?: string } = {};
    for (let page = 0; page < MAX_PAGES; page += 1) {
      const next: Page = schema.parse(parseExactly(await textOf(await ask(cursor))));
      yield next;
      if (!next.has_more || next.next_page === null) return;
      cursor = { page: next.next_page };
    }
    throw new SyntaxError(`more than ${MAX_PAGES} pages`);
  }

  async function read<Bucket extends { start_time: number; results: unknown[] }, Line>(
    ask: (cursor: { page?: string }) => Promise<Response>,
    schema: z.ZodType<{ data: Bucket[]; has_more: boolean; next_page: string | null }>,
    toLine: (day: string, result: Bucket['results'][number]) => Line,
  ): Promise<Line[]> {
    try {
      const lines: Line[] = [];
      for await (const { data } of pages(ask, schema)) {
        for (const { start_time, results } of data) {
          for (const result of results) lines.push(toLine(utcDay(start_time * 1000), result));
        }
      }
      return lines;
    } catch (error) {
      throw explained(error, options.adminKey);
    }
  }

  return {
    costs: (query) =>
      read(
        (cursor) =>
          usage
            .costs({ ...rangeOf(query), group_by: ['line_item'], limit: COST_BUCKETS, ...cursor })
            .asResponse(),
        costPage,
        (day, { amount, line_item }) => ({
          day,
          lineItem: line_item ?? null,
          amount: new Big(amount.value).toFixed(),
          currency: amount.currency.toUpperCase(),
        }),
      ),
    usage: (query) =>
      read(
        (cursor) =>
          usage
            .completions({ ...rangeOf(query), group_by: ['model'], limit: USAGE_BUCKETS, ...cursor })
            .asResponse(),
        usagePage,
        (day, result) => ({
          day,
          model: result.model ?? null,
          calls: result.num_model_requests,
          inputTokens: result.input_tokens,
          outputTokens: result.output_tokens,
        }),
      ),
  };
}

function rangeOf({ from, to, projectId }: BillingQuery) {
  return {
    start_time: Date.parse(from) / 1000,
    end_time: Date.parse(to) / 1000 + DAY_SECONDS,
    bucket_width: '1d' as const,
    ...(projectId !== null && { project_ids: [projectId] }),
  };
}

/** @throws SyntaxError when it is longer than any page of figures */
async function textOf(response: Response): Promise<string> {
  const bytes = new GatheredBytes();
  for await (const piece of response.body ?? []) {
    bytes.add(piece);
    if (bytes.length > MAX_PAGE_BYTES) throw new SyntaxError(`more than ${MAX_PAGE_BYTES} bytes in one page`);
  }
  return new TextDecoder().decode(bytes.view());
}

/** Amounts are JSON numbers, or text: either way their digits are kept, which a float would not. */
function parseExactly(text: string): unknown {
  return JSON.parse(text, ((key: string, value: unknown, context?: { source?: string }) =>
    key === 'value' && typeof value === 'number' ? (context?.source ?? String(value)) : value) as (
    key: string,
    value: unknown,
  ) => unknown);
}

function explained(error: unknown, adminKey: string): Error {
  if (error instanceof APIError) {
    const { status } = error;
    const words = maskSecrets(error.message, adminKey);
    if (status === 401 || status === 403)
      return new Error(
        `the provider refused the admin key of AI_OPENAI_ADMIN_KEY (${words}): the key needs permission to read usage and costs of the organization`,
      );
    return new Error(`the provider's usage and costs could not be read (${words}); try again later`);
  }
  // A RangeError is a date that does not exist, or nesting that is too deep to be figures.
  if (error instanceof z.ZodError || error instanceof SyntaxError || error instanceof RangeError)
    return new Error(
      'the provider answered with something other than its usage and costs; check AI_OPENAI_BASE_URL',
      {
        cause: error,
      },
    );
  return error instanceof Error ? error : new Error(String(error));
}
