import { Deque } from './deque.ts';

/** What one owner has waiting, and how many more it may have in this round. */
interface Lineup<T> {
  readonly items: Deque<T>;
  readonly weight: number;
  credit: number;
}

/**
 * A queue in which owners take turns: in each round an owner with something waiting is served as many items as its weight,
 * in the order in which they came. With one owner it is a plain queue. Constant time per item.
 *
 * @see https://en.wikipedia.org/wiki/Weighted_round_robin
 */
export class FairQueue<T> {
  private readonly weightOf: (owner: string) => number;
  private readonly lineups = new Map<string, Lineup<T>>();
  /** Owners that have something waiting, whose turn it is first. */
  private readonly turns = new Deque<string>();
  private count = 0;

  /** @param weightOf at least 1, a whole number */
  constructor(weightOf: (owner: string) => number) {
    this.weightOf = weightOf;
  }

  get length(): number {
    return this.count;
  }

  push(owner: string, item: T): void {
    this.count += 1;
    const lineup = this.lineups.get(owner);
    if (lineup !== undefined) {
      lineup.items.push(item);
      return;
    }
    const items = new Deque<T>();
    items.push(item);
    const weight = this.weightOf(owner);
    this.lineups.set(owner, { items, weight, credit: weight });
    this.turns.push(owner);
  }

  shift(): T | undefined {
    const owner = this.turns.peek();
    const lineup = owner === undefined ? undefined : this.lineups.get(owner);
    if (owner === undefined || lineup === undefined) return undefined;
    const item = lineup.items.shift();
    this.count -= 1;
    lineup.credit -= 1;
    if (lineup.items.length === 0) {
      this.turns.shift();
      this.lineups.delete(owner);
    } else if (lineup.credit === 0) {
      lineup.credit = lineup.weight;
      this.turns.shift();
      this.turns.push(owner);
    }
    return item;
  }
}
