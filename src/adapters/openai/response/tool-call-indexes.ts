import { randomUUID } from 'node:crypto';
import { answerLimits, LimitExceeded } from '../wire/answer-limits.ts';
import { JsonValueEnd } from '../wire/json-value-end.ts';
import { indexOf, nameOfIndex } from './entry-index.ts';

/** The members of a piece that distinguish one call from another. */
export interface ToolCallPiece {
  readonly id: string | null;
  readonly name: string | null;
  readonly arguments: string;
  /** It has members that no field of the contract is for. */
  readonly hasMore: boolean;
}

/** A longer text is not looked at for whether it is repeated. */
const REPEATED_CHARACTERS = 65_536;

/** A tool call as far as its pieces came. */
export class OpenToolCall {
  /** Its index in our chunks. */
  readonly index: number;
  /** Null until the provider sends one. */
  id: string | null;
  /** The list of pieces that it was last seen in. */
  list: readonly unknown[];
  readonly #place: number | string;
  readonly #arguments: JsonValueEnd | null;
  #name = '';
  /** The arguments so far; null when they are too long to be held against a repetition. */
  #text: string | null = '';
  /** An empty object that may be a stand-in for what later pieces bring; empty when there is none. */
  #held = '';

  constructor(index: number, id: string | null, place: number | string, list: readonly unknown[]) {
    this.index = index;
    this.id = id;
    this.list = list;
    this.#place = place;
    // Calls with ids are distinguished by their ids.
    this.#arguments = id === null ? new JsonValueEnd() : null;
  }

  get isNamed(): boolean {
    return this.#name !== '';
  }

  isAt(place: number | string): boolean {
    return this.#place === place;
  }

  /** Whether its arguments are complete, as far as that was looked at. */
  get hasAllArguments(): boolean {
    return this.#arguments?.hasEnded === true;
  }

  /** @returns what the piece adds to the name; null when it adds nothing */
  take({ id, name, arguments: text }: ToolCallPiece): string | null {
    this.id ??= id;
    this.#arguments?.add(text);
    return name === null ? null : this.#addedName(name);
  }

  /**
   * An empty object is held back at the beginning: some servers send one before the arguments come in pieces. Others send all of
   * them once more at the end.
   *
   * @returns what the piece adds to the arguments
   */
  takeArguments(text: string): string {
    if (text === '') return '';
    const isFirst = this.#text === '';
    if (isFirst && (isEmptyObject(text) || (this.#held !== '' && text.trim() === ''))) {
      this.#held ||= text;
      return '';
    }
    if (this.#isRepeated(text)) return '';
    this.#held = '';
    const isLong = this.#text === null || this.#text.length + text.length > REPEATED_CHARACTERS;
    this.#text = isLong ? null : this.#text + text;
    return text;
  }

  /** The arguments that are held back: nothing else came. Given out once. */
  releaseArguments(): string {
    const held = this.#held;
    this.#held = '';
    return held;
  }

  /** Behind a complete object nothing can follow, least of all the same object. */
  #isRepeated(text: string): boolean {
    if (this.#text === null || this.#text === '' || !text.trimStart().startsWith('{')) return false;
    const before = this.#text.trim();
    return before.endsWith('}') && text.trim() === before;
  }

  /** Some servers repeat the name, or all of it so far, in each piece; others send it in pieces. */
  #addedName(name: string): string | null {
    const added = name.startsWith(this.#name) ? name.slice(this.#name.length) : name;
    const isRepeated = added === '' || this.#name.length + added.length > answerLimits.metadataCharacters;
    if (isRepeated) return null;
    this.#name += added;
    return added;
  }
}

/** What a call gets at its end. */
export interface MissingOfCall {
  readonly index: number;
  /** Null when it has one, or needs none. */
  readonly id: string | null;
  readonly arguments: string;
}

/**
 * Finds out which tool call of a choice a piece belongs to. Usable indexes are kept. Many servers send none, or the same one (0,
 * -1, a text) for every call; then another id with a name begins a new call, and without ids a name behind complete arguments.
 */
export class ToolCallIndexes {
  readonly #calls: OpenToolCall[] = [];
  readonly #byPlace = new Map<number | string, OpenToolCall>();
  readonly #byId = new Map<string, OpenToolCall>();
  readonly #used = new Set<number>();
  #functionCall: OpenToolCall | null = null;

  /**
   * @param list the pieces that came together
   * @returns null for a piece that says nothing
   * @throws LimitExceeded
   */
  callOf(list: readonly unknown[], position: number, piece: ToolCallPiece): OpenToolCall | null {
    const own = indexOf(list[position]);
    const place = isUsable(own) ? own | 0 : `${nameOfIndex(own)}@${position}`;
    const isBare = piece.id === null && piece.name === null;
    const saysNothing =
      isBare && (piece.arguments === '' || (this.#calls.length === 0 && isEmptyObject(piece.arguments)));
    if (saysNothing) return piece.hasMore ? this.#continued(place, position, piece, list) : null;
    const call = this.#continued(place, position, piece, list) ?? this.#begin(place, position, piece, list);
    call.list = list;
    this.#byPlace.set(place, call);
    if (piece.id !== null && !this.#byId.has(piece.id)) this.#byId.set(piece.id, call);
    return call;
  }

  /**
   * The call in the older form, of which there is one.
   *
   * @returns null for a piece that says nothing
   * @throws LimitExceeded
   */
  functionCall(piece: ToolCallPiece): OpenToolCall | null {
    const isEmpty = piece.arguments === '' || isEmptyObject(piece.arguments);
    if (piece.name === null && isEmpty && this.#functionCall === null) return null;
    this.#functionCall ??= this.#begin('function_call', 0, piece, []);
    return this.#functionCall;
  }

  /**
   * What is missing of calls to which no more pieces come: an id where the provider sent none (the older form has no ids), and
   * arguments that were held back.
   */
  complete(): MissingOfCall[] {
    return this.#calls.flatMap((call) => {
      const isWithoutId = call.id === null && call !== this.#functionCall;
      if (isWithoutId) call.id = `call_${randomUUID().replaceAll('-', '')}`;
      const held = call.releaseArguments();
      if (!isWithoutId && held === '') return [];
      return [{ index: call.index, id: isWithoutId ? call.id : null, arguments: held }];
    });
  }

  /** @returns null when the piece begins a call */
  #continued(
    place: number | string,
    position: number,
    piece: ToolCallPiece,
    list: readonly unknown[],
  ): OpenToolCall | null {
    const { id, name } = piece;
    const current = this.#byPlace.get(place);
    if (id !== null && current?.id === id) return current;
    const known = id === null ? undefined : this.#byId.get(id);
    // Where the index says nothing, the id does.
    const isKnown = known !== undefined && (typeof place === 'string' || name === null || known.isAt(place));
    if (isKnown) return known;
    const before = current ?? (typeof place === 'string' ? this.#withoutIndex(position, piece, list) : null);
    if (before === null) return null;
    if (id === null || before.id === null) return isNext(before, piece, list) ? null : before;
    // Some servers make up another id for each piece of a call.
    return typeof place === 'number' && name === null ? before : null;
  }

  /** A piece without an index goes on with the call that has its position as index; one without id and name, with the last one. */
  #withoutIndex(
    position: number,
    { id, name }: ToolCallPiece,
    list: readonly unknown[],
  ): OpenToolCall | null {
    const there = this.#calls.find(({ index }) => index === position);
    if (there !== undefined && there.list !== list) return there;
    const last = this.#calls.at(-1);
    return id !== null || name !== null || last === undefined || last.list === list ? null : last;
  }

  #begin(
    place: number | string,
    position: number,
    { id }: ToolCallPiece,
    list: readonly unknown[],
  ): OpenToolCall {
    const call = new OpenToolCall(this.#freeIndex(place, position, list), id, place, list);
    this.#calls.push(call);
    this.#used.add(call.index);
    return call;
  }

  /** The provider's own index, or else the position, or else one that neither a call nor the list has. */
  #freeIndex(place: number | string, position: number, list: readonly unknown[]): number {
    if (typeof place === 'number' && !this.#used.has(place)) return place;
    const taken = new Set<unknown>(list.map(indexOf));
    const isFree = (index: number) => !this.#used.has(index) && !taken.has(index);
    if (typeof place === 'string' && isUsable(position) && isFree(position)) return position;
    for (let index = 0; index < answerLimits.toolCalls; index += 1) if (isFree(index)) return index;
    throw new LimitExceeded('toolCalls');
  }
}

/** Whether a piece without a known id, at the place of a call, begins the next one. */
function isNext(call: OpenToolCall, piece: ToolCallPiece, list: readonly unknown[]): boolean {
  if (piece.name === null || !call.isNamed) return false;
  return call.list === list || (call.hasAllArguments && piece.arguments !== '');
}

function isUsable(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < answerLimits.toolCalls;
}

/** `{}`, with blanks or without. */
function isEmptyObject(text: string): boolean {
  return text.length <= 16 && /^\s*\{\s*\}\s*$/.test(text);
}
