import { isDeepStrictEqual } from 'node:util';
import type { Db } from 'mongodb';
import { amountsOf } from '../../../catalog/prices/describe-change.ts';
import { type WaitingPrice, type WaitingPrices, waitingId } from '../../../catalog/stores.ts';
import { boundedRead, durableWrite } from '../client/durable-write.ts';
import { type PriceRow, priceRow, priceVersion } from './map-price.ts';

/** One document of `waitingPrices`. */
interface WaitingRow {
  readonly _id: string;
  readonly price: PriceRow;
  readonly reasons: readonly string[];
  readonly since: Date;
  readonly isDated: boolean;
}

/** Quarantined prices in the collection `waitingPrices`. Only `prices accept` puts them into force. */
export function createWaitingPrices(db: Db): WaitingPrices {
  const rows = db.collection<WaitingRow>('waitingPrices');
  const waitingPrice = ({ price, since, reasons, isDated }: WaitingRow): WaitingPrice => ({
    version: priceVersion(price),
    reasons,
    since: since.getTime(),
    isDated,
  });
  return {
    async list() {
      return (await rows.find({}, { sort: { _id: 1 }, ...boundedRead }).toArray()).map(waitingPrice);
    },
    async put(price) {
      const _id = waitingId(price);
      const earlier = await rows.findOne({ _id }, boundedRead);
      const amounts = amountsOf(price.version);
      if (earlier !== null && isDeepStrictEqual(amountsOf(waitingPrice(earlier).version), amounts))
        return false;
      const { version, reasons, since, isDated } = price;
      const row = { price: priceRow(version), reasons, since: new Date(since), isDated };
      await rows.replaceOne({ _id }, row, { upsert: true, ...durableWrite });
      return true;
    },
    async remove(prices) {
      if (prices.length === 0) return;
      await rows.deleteMany({ _id: { $in: prices.map(waitingId) } }, durableWrite);
    },
  };
}
