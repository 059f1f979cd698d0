import type { CheckResult, SchemaAsker, SchemaVerdict, ValueToCheck } from '../../ports/schemas.ts';
import type { ItemResult, JobToRun } from './engine/checker-protocol.ts';

/** Whose overruns are remembered of one schema. */
const MAX_TENANTS = 64;

/** What the service itself knows of a schema. */
export interface KnownSchema {
  readonly id: number;
  readonly text: string;
  /** Null: it was not looked at yet. */
  verdict: SchemaVerdict | null;
  /** Whether nothing with it is given to a process any more: it is too large, or has ended one. */
  isGivenUp: boolean;
  /** How often checks of a tenant took too long. Of some tenants: what one answer takes says nothing of another's. */
  readonly overruns: Map<string, number>;
}

export interface JobItem {
  readonly schema: KnownSchema | null;
  /** Null: only the verdict about the schema is asked for. */
  readonly value: Omit<ValueToCheck, 'schemaJson'> | null;
}

/** What one request asks at once: its items are done in their order, perhaps in several turns. */
export class CheckJob {
  readonly asker: SchemaAsker;
  readonly results: CheckResult[] = [];
  /** Whether its items are handed over one by one, so that it is known which one ends the process. */
  isAlone = false;
  /** How often the process has ended on a batch with it. */
  losses = 0;
  readonly #items: readonly JobItem[];
  #leftMs: number;
  /** The first item that was handed over last. */
  #from = 0;
  /** The item that has ended the process. */
  #blamed: number | null = null;
  readonly #done = Promise.withResolvers<void>();

  constructor(items: readonly JobItem[], asker: SchemaAsker, limitMs: number) {
    this.#items = items;
    this.asker = asker;
    this.#leftMs = limitMs;
  }

  get isDone(): boolean {
    return this.results.length === this.#items.length;
  }

  /**
   * Resolves when all items have a result. What has none when the time is over was not checked.
   *
   * @throws the signal's reason
   */
  async untilDone(waitMs: number): Promise<void> {
    const { signal } = this.asker;
    const timer = setTimeout(() => this.giveUp('it was not checked in time'), waitMs);
    const abort = () => this.giveUp('its result is no longer needed');
    signal.addEventListener('abort', abort, { once: true });
    try {
      await this.#done.promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    }
    signal.throwIfAborted();
  }

  /** Ends it: what has no result yet was not checked. */
  giveUp(reason: string): void {
    while (!this.isDone) this.#push({ kind: 'not_checked', reason });
  }

  /** Goes past the next items as long as there is a reason not to check them. */
  skip(reasonAgainst: (item: JobItem, tenantId: string) => string | null): void {
    if (this.#leftMs <= 0) this.giveUp('the checks of this answer took too long');
    for (let item = this.#nextItem; item !== undefined; item = this.#nextItem) {
      const isBlamed = this.results.length === this.#blamed;
      const reason = isBlamed ? 'the check was aborted' : reasonAgainst(item, this.asker.tenantId);
      if (reason === null) break;
      this.#push({ kind: 'not_checked', reason });
    }
  }

  /** What is left to do. @param sent the schemas that the process knows; those that go with this are added */
  toRun(sent: Set<number>): JobToRun {
    this.#from = this.results.length;
    const items = this.#items
      .slice(this.#from, this.isAlone ? this.#from + 1 : undefined)
      .map(({ schema, value }) => {
        if (schema === null) return { schemaId: null, schemaJson: null, value };
        const schemaJson = sent.has(schema.id) ? null : schema.text;
        sent.add(schema.id);
        return { schemaId: schema.id, schemaJson, value };
      });
    return { items, limitMs: this.#leftMs };
  }

  /** Takes what the process has found out. */
  take(results: readonly ItemResult[], ranMs: number, sent: Set<number>): void {
    this.#leftMs -= ranMs;
    for (const { verdict, check, overran } of results) {
      const item = this.#nextItem;
      // It may have been given up meanwhile.
      if (item === undefined) return;
      const { schema } = item;
      if (schema !== null && verdict === null) {
        sent.delete(schema.id);
        return;
      }
      if (schema !== null) {
        schema.verdict = verdict;
        if (overran) this.#noteOverrun(schema);
      }
      this.#push(check ?? { kind: 'checked', problems: [] });
    }
  }

  /** The only item that was handed over has ended the process. A schema that could not be compiled is never tried again. */
  blame(): void {
    this.#blamed = this.#from;
    const schema = this.#items[this.#from]?.schema ?? null;
    if (schema === null) return;
    this.#noteOverrun(schema);
    if (schema.verdict !== null) return;
    schema.isGivenUp = true;
    schema.verdict = { kind: 'unchecked', reason: 'compiling the schema was aborted' };
  }

  #noteOverrun({ overruns }: KnownSchema): void {
    const { tenantId } = this.asker;
    overruns.set(tenantId, (overruns.get(tenantId) ?? 0) + 1);
    for (const [oldest] of overruns) if (overruns.size > MAX_TENANTS) overruns.delete(oldest);
  }

  get #nextItem(): JobItem | undefined {
    return this.#items[this.results.length];
  }

  #push(result: CheckResult): void {
    this.results.push(result);
    if (this.isDone) this.#done.resolve();
  }
}
