import { afterAll, beforeAll, describe, it } from 'vitest';
import { ExchangeWorld, type Outcome, sentIn, WAYS, type Way } from '../support/exchanges/exchange-world.ts';
import { expectOutcome } from '../support/exchanges/expect-outcome.ts';
import { providerExchanges } from '../support/exchanges/provider-exchanges.ts';
import type { ReplayExchange } from '../support/exchanges/replay-exchange.ts';

let world: ExchangeWorld;
const outcomes = new Map<ReplayExchange, Map<Way, Promise<Outcome>>>();

const waysOf = ({ once = false }: ReplayExchange): readonly Way[] => (once ? ['whole'] : WAYS);

/** All of them are in flight on one worker before the first is looked at. */
beforeAll(async () => {
  const prices = Object.assign({}, ...providerExchanges.map((provider) => provider.prices));
  world = await ExchangeWorld.start({}, prices);
  for (const exchange of providerExchanges.flatMap(({ exchanges }) => Object.values(exchanges)))
    outcomes.set(exchange, new Map(waysOf(exchange).map((way) => [way, run(exchange, way)])));
});
afterAll(() => world?.close());

function run({ request, answer }: ReplayExchange, way: Way): Promise<Outcome> {
  const outcome = world.run({ body: request, answer: [answer].flat().map((one) => sentIn(way, one)) });
  // The exchange's own test reports it.
  outcome.catch(() => undefined);
  return outcome;
}

describe.each(providerExchanges)('exchanges of $name', ({ exchanges }) => {
  describe.each(Object.entries(exchanges))('%s', (_, exchange) => {
    it.each(waysOf(exchange))('arrives %s', async (way) => {
      expectOutcome((await outcomes.get(exchange)?.get(way)) as Outcome, exchange);
    });
  });
});
