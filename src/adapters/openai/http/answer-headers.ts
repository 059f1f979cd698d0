import type { HttpHead } from './http-exchange.ts';

/** The part of the fetch standard's `Headers` that is used. */
export interface HeaderReader {
  /** Several headers of one name are joined by `, `. Null if the header is missing. */
  get(name: string): string | null;
}

/** How an answer begins. */
export interface AnswerHead {
  readonly status: number;
  readonly headers: HeaderReader;
}

/** The fetch standard lets no other characters through, but the HTTP parser does. */
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** The headers of an answer. One whose value the fetch standard does not allow counts as not sent. */
export class AnswerHeaders implements HeaderReader {
  readonly #received: HttpHead['headers'];

  /** @param received by name in lower case */
  constructor(received: HttpHead['headers']) {
    this.#received = received;
  }

  /** @param name in lower case */
  get(name: string): string | null {
    const values = this.#valuesOf(name);
    return values.length === 0 ? null : values.join(', ');
  }

  /** Each that the fetch standard allows. */
  entries(): [name: string, value: string][] {
    return Object.keys(this.#received).flatMap((name) =>
      this.#valuesOf(name).map((value): [string, string] => [name, value]),
    );
  }

  #valuesOf(name: string): readonly string[] {
    if (!Object.hasOwn(this.#received, name)) return [];
    const value = this.#received[name] ?? [];
    return (typeof value === 'string' ? [value] : value).filter((one) => VALUE.test(one));
  }
}
