import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import { errorBody } from './error-body.ts';

const day = z.string().regex(/^\d{4}-\d\d-\d\d$/);

/** What was used and billed, by UTC day. `amount` is written into the answer as it is: a number, or text in quotes. */
export const billingSchema = z.object({
  costs: z.array(
    z.object({
      day,
      project: z.string().nullable(),
      lineItem: z.string(),
      amount: z.string(),
      currency: z.string(),
    }),
  ),
  usage: z.array(
    z.object({
      day,
      project: z.string().nullable(),
      model: z.string(),
      requests: z.number(),
      inputTokens: z.number(),
      outputTokens: z.number(),
    }),
  ),
});

export type BillingBooks = z.infer<typeof billingSchema>;

export class Billing {
  books: BillingBooks = { costs: [], usage: [] };

  set(books: BillingBooks): void {
    this.books = books;
  }
}

const DAY_SECONDS = 86_400;

/** Answers the organization's costs and usage: one bucket for each day, page by page. */
export function answerBilling(
  request: IncomingMessage,
  { books }: Billing,
): { status: number; body: string } {
  const url = new URL(request.url ?? '', 'http://stand-in');
  if (!/^Bearer sk-admin/.test(request.headers.authorization ?? '')) {
    const message = 'You have insufficient permissions for this operation. Missing scopes: api.usage.read.';
    return { status: 401, body: errorBody(401, { message }) };
  }
  const isCosts = url.pathname === '/v1/organization/costs';
  if (!isCosts && url.pathname !== '/v1/organization/usage/completions')
    return { status: 404, body: errorBody(404, { message: `Unknown request URL: ${url.pathname}.` }) };
  const number = (name: string) => Number(url.searchParams.get(name));
  const limit = number('limit') || 7;
  const begin = Number(url.searchParams.get('page')?.replace('page_', '') ?? number('start_time'));
  const end = number('end_time');
  const projects = url.searchParams.getAll('project_ids[]');
  const isWanted = ({ project }: { project: string | null }) =>
    projects.length === 0 || (project !== null && projects.includes(project));
  const lines = (
    isCosts ? books.costs.filter(isWanted).map(costLine) : books.usage.filter(isWanted).map(usageLine)
  ) as {
    day: string;
    json: string;
  }[];
  const next = Math.min(end, begin + limit * DAY_SECONDS);
  const buckets = [];
  for (let at = begin; at < next; at += DAY_SECONDS) {
    const today = new Date(at * 1000).toISOString().slice(0, 10);
    const results = lines.filter((line) => line.day === today).map(({ json }) => json);
    buckets.push(
      `{"object":"bucket","start_time":${at},"end_time":${at + DAY_SECONDS},"results":[${results.join(',')}]}`,
    );
  }
  const hasMore = next < end;
  const body = `{"object":"page","data":[${buckets.join(',')}],"has_more":${hasMore},"next_page":${hasMore ? `"page_${next}"` : 'null'}}`;
  return { status: 200, body };
}

function costLine({ day: of, project, lineItem, amount, currency }: BillingBooks['costs'][number]) {
  const rest = JSON.stringify({
    object: 'organization.costs.result',
    line_item: lineItem,
    project_id: project,
  });
  return {
    day: of,
    json: `${rest.slice(0, -1)},"amount":{"value":${amount},"currency":${JSON.stringify(currency)}}}`,
  };
}

function usageLine({
  day: of,
  project,
  model,
  requests,
  inputTokens,
  outputTokens,
}: BillingBooks['usage'][number]) {
  return {
    day: of,
    json: JSON.stringify({
      object: 'organization.usage.completions.result',
      model,
      project_id: project,
      num_model_requests: requests,
      input_tokens: inputTokens,
      output_tokens: outputTokens,
    }),
  };
}
