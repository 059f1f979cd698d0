import { GatheredText } from '../text/gathered-text.ts';
import { membersOfJson } from '../text/json-text.ts';
import { utf8Length } from '../text/utf8-length.ts';

/**
 * How members of the same name are merged:
 * - joined: texts and lists are appended; of anything else the last value counts
 * - words: the same, except that two kinds are not appended: single words (a channel, a type), and lists that are sent whole
 *   each time (sources)
 * - last: the last value counts
 */
export type JsonMerge = 'joined' | 'words' | 'last';

/** A member as text, so that a long answer is neither parsed nor serialized as a whole. */
type Member =
  | { readonly kind: 'text'; readonly text: GatheredText; first: string | null }
  | { readonly kind: 'list'; readonly elements: GatheredText; first: string | null }
  | { readonly kind: 'value'; readonly json: string };

/** Texts of these names are single words. The last one counts. */
const WORD =
  /(?:^|_)(?:channel|recipient|role|type|status|phase|id|model|name|provider|reason|format|author|signature)$/i;
/** Texts of these names continue, even if a piece equals the one before. */
const PROSE = /reason|think|thought|content|text|summary|transcript/i;
/** Lists of these names are sent whole each time. */
const SOURCES = /citation|source|search|reference|image|question/i;
/** Without blanks, and longer than nearly all tokens that a text may repeat. */
const REPEATED_WORD = /^\S{4,128}$/;

/** Merges JSON objects that arrive in pieces. */
export class JsonFold {
  readonly #merge: JsonMerge;
  readonly #members = new Map<string, Member>();

  constructor(merge: JsonMerge) {
    this.#merge = merge;
  }

  /**
   * @param json an object as `JSON.stringify` writes it
   * @returns the UTF-8 bytes of the texts that it added
   */
  add(json: string): number {
    let bytes = 0;
    for (const [name, value] of membersOfJson(json)) {
      if (this.#merge === 'last') this.#members.set(name, { kind: 'value', json: value });
      else if (value.startsWith('"')) bytes += this.#addText(name, JSON.parse(value) as string);
      else if (value.startsWith('[')) this.#addList(name, value.slice(1, -1));
      else if (value !== 'null' || !this.#members.has(name))
        this.#members.set(name, { kind: 'value', json: value });
    }
    return bytes;
  }

  toJson(): string {
    const members = [...this.#members].map(([name, member]) => `${JSON.stringify(name)}:${jsonOf(member)}`);
    return `{${members.join(',')}}`;
  }

  #addText(name: string, piece: string): number {
    const before = this.#members.get(name);
    if (before?.kind === 'text' && !this.#isWord(name, piece, before.first)) {
      before.text.add(piece);
      // Only a text of a single piece can be a whole that is sent once more.
      before.first = null;
      return utf8Length(piece);
    }
    const isRepeated = before?.kind === 'text' && before.first === piece;
    if (isRepeated || (piece === '' && before?.kind === 'text')) return 0;
    const text = new GatheredText();
    text.add(piece);
    this.#members.set(name, { kind: 'text', text, first: piece });
    return utf8Length(piece);
  }

  #isWord(name: string, piece: string, first: string | null): boolean {
    if (this.#merge !== 'words' || first === null) return false;
    if (WORD.test(name)) return true;
    return piece === first && !PROSE.test(name) && REPEATED_WORD.test(piece);
  }

  #addList(name: string, elements: string): void {
    const before = this.#members.get(name);
    if (before?.kind !== 'list') {
      const list = new GatheredText();
      list.add(elements);
      this.#members.set(name, { kind: 'list', elements: list, first: elements });
      return;
    }
    if (elements === '') return;
    const isRepeated = this.#merge === 'words' && before.first === elements && SOURCES.test(name);
    if (isRepeated) return;
    if (!before.elements.isEmpty) before.elements.add(',');
    before.elements.add(elements);
  }
}

function jsonOf(member: Member): string {
  if (member.kind === 'text') return JSON.stringify(member.text.toString());
  return member.kind === 'list' ? `[${member.elements}]` : member.json;
}
