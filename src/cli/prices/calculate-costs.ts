import { createPriceStore } from '../../adapters/mongo/catalog/catalog-store.ts';
import {
  type FailedLine,
  readUsageLine,
  type UsageLine,
} from '../../adapters/openai/usage/read-usage-line.ts';
import { findPrice, type PriceTimelines, priceTimelines } from '../../catalog/prices/versions/find-price.ts';
import { versionsOfFile } from '../../catalog/prices/versions/price-versions.ts';
import { priceCall, priceOfCall } from '../../domain/cost/price-call.ts';
import { readLines } from '../options/read-lines.ts';
import type { Tool } from '../options/tool.ts';
import { withDatabase } from '../options/with-database.ts';

export interface CalculateOptions {
  /** JSON lines; `-` is standard input. */
  readonly usage: string;
  /** A price file of either format, instead of the database. */
  readonly prices?: string;
  /** When the calls were sent, epoch ms. It decides the price. */
  readonly at: number;
  /** The provider of lines that name none. */
  readonly provider: string;
  /** The region of the endpoint, for lines that name none. */
  readonly region?: string;
}

/** Characters that are buffered before they are written. */
const PAGE = 65_536;

/**
 * `costs calculate`: prices usages line by line, as JSON lines in the same order. A line that cannot be read is reported with its
 * number; the others are priced.
 *
 * @returns 0, or 1 if a line could not be read
 */
export async function calculateCosts(tool: Tool, options: CalculateOptions): Promise<number> {
  const prices = await loadPrices(tool, options.prices);
  let exitCode = 0;
  let page = '';
  for await (const { number, text } of readLines(tool.openFile(options.usage, '--usage'))) {
    try {
      page += `${JSON.stringify(priceLine(readUsageLine(text), prices, options))}\n`;
    } catch (error) {
      exitCode = 1;
      tool.printError(`${options.usage}, line ${number}: ${(error as Error).message}\n`);
    }
    if (page.length < PAGE) continue;
    await tool.printPage(page);
    page = '';
  }
  tool.print(page);
  return exitCode;
}

function loadPrices(tool: Tool, path: string | undefined): Promise<PriceTimelines> | PriceTimelines {
  if (path !== undefined)
    return priceTimelines(versionsOfFile({ name: path, text: tool.readFile(path, '--prices') }));
  return withDatabase(tool, async (db) => priceTimelines(await createPriceStore(db).list()));
}

/** Prices a line with the function that the service uses. */
function priceLine(
  line: UsageLine | FailedLine,
  timelines: PriceTimelines,
  { at, provider, region }: CalculateOptions,
): object {
  const { id } = line;
  if ('failed' in line) return { id, status: 'NONE', totalCost: null, currency: null, lines: [] };
  const call = {
    ...line,
    provider: line.provider ?? provider,
    region: line.region ?? region ?? null,
    startedAt: at,
  };
  const price = priceOfCall(call, {
    price: (...named: [string, string, number]) => findPrice(timelines, ...named),
  });
  const cost = priceCall(call, price);
  if (cost.status === 'UNPRICED')
    return { id, status: cost.status, totalCost: null, currency: null, lines: [], reason: cost.reason };
  const { amount, lines } = cost;
  return { id, status: cost.status, totalCost: amount, currency: price?.currency, lines, priceId: price?.id };
}
