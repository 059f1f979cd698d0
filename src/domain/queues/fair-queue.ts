/** `first`: an item starts. `again`: it continues. Neither line of an owner starves the other. */
export type Line = 'first' | 'again';

/** An item in a queue: the handle for removing it. */
export interface Place<T> {
  readonly item: T;
  /** Null once it was served or removed. */
  lineup: Lineup<T> | null;
  readonly line: Line;
  before: Place<T> | null;
  behind: Place<T> | null;
}

interface Ends<T> {
  head: Place<T> | null;
  tail: Place<T> | null;
}

/** The waiting items of one owner, and how many more it may have in this round. Lineups with a turn form a ring. */
interface Lineup<T> extends Record<Line, Ends<T>> {
  readonly owner: string;
  readonly weight: number;
  credit: number;
  /** The line whose turn it is. */
  turn: Line;
  before: Lineup<T>;
  behind: Lineup<T>;
}

/**
 * A queue in which owners take turns (weighted round robin). In each round an owner with waiting items is served as many items as its
 * weight. The two lines of an owner take turns too, each in order of arrival. With one owner and one line it is a plain queue.
 * Constant time per item, also for a removed one.
 *
 * @see https://en.wikipedia.org/wiki/Weighted_round_robin
 */
export class FairQueue<T> {
  private readonly weightOf: (owner: string) => number;
  private readonly lineups = new Map<string, Lineup<T>>();
  /** The owner whose turn it is. */
  private current: Lineup<T> | null = null;
  private count = 0;

  /** @param weightOf at least 1, a whole number */
  constructor(weightOf: (owner: string) => number) {
    this.weightOf = weightOf;
  }

  get length(): number {
    return this.count;
  }

  push(owner: string, item: T, line: Line = 'first'): Place<T> {
    const lineup = this.lineups.get(owner) ?? this.join(owner, line);
    const ends = lineup[line];
    const place: Place<T> = { item, lineup, line, before: ends.tail, behind: null };
    if (ends.tail === null) ends.head = place;
    else ends.tail.behind = place;
    ends.tail = place;
    this.count += 1;
    return place;
  }

  /** What `shift` would return. */
  peek(): T | undefined {
    return this.first()?.item;
  }

  shift(): T | undefined {
    const place = this.first();
    if (place === null) return undefined;
    const { lineup, line } = place;
    this.remove(place);
    if (lineup === null) return place.item;
    lineup.turn = line === 'first' ? 'again' : 'first';
    lineup.credit -= 1;
    if (lineup.credit === 0) {
      lineup.credit = lineup.weight;
      if (this.current === lineup) this.current = lineup.behind;
    }
    return place.item;
  }

  /** Removes an item before its turn. @returns whether it was still waiting */
  remove(place: Place<T>): boolean {
    const { lineup, line, before, behind } = place;
    if (lineup === null) return false;
    const ends = lineup[line];
    if (before === null) ends.head = behind;
    else before.behind = behind;
    if (behind === null) ends.tail = before;
    else behind.before = before;
    place.lineup = null;
    this.count -= 1;
    if (lineup.first.head === null && lineup.again.head === null) this.leave(lineup);
    return true;
  }

  private first(): Place<T> | null {
    const lineup = this.current;
    if (lineup === null) return null;
    return lineup[lineup.turn].head ?? lineup[lineup.turn === 'first' ? 'again' : 'first'].head;
  }

  /** An owner without waiting items joins at the end. */
  private join(owner: string, turn: Line): Lineup<T> {
    const weight = this.weightOf(owner);
    const empty = () => ({ head: null, tail: null });
    const members = { owner, weight, credit: weight, turn, first: empty(), again: empty() };
    const lineup = members as typeof members & Lineup<T>;
    const { current } = this;
    lineup.behind = current ?? lineup;
    lineup.before = current?.before ?? lineup;
    lineup.before.behind = lineup;
    lineup.behind.before = lineup;
    this.current ??= lineup;
    this.lineups.set(owner, lineup);
    return lineup;
  }

  private leave(lineup: Lineup<T>): void {
    lineup.before.behind = lineup.behind;
    lineup.behind.before = lineup.before;
    if (this.current === lineup) this.current = lineup.behind === lineup ? null : lineup.behind;
    this.lineups.delete(lineup.owner);
  }
}
