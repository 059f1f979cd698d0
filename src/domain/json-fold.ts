import { GatheredText } from './gathered-text.ts';
import { membersOfJson } from './json-text.ts';
import { utf8Length } from './utf8-length.ts';

/** A member as text, so that a long answer is neither parsed nor written again as a whole. */
type Member =
  | { readonly kind: 'text'; readonly text: GatheredText }
  | { readonly kind: 'list'; readonly elements: GatheredText }
  | { readonly kind: 'value'; readonly json: string };

/** Merges JSON objects that came in pieces: texts and lists continue, of anything else the last value counts. */
export class JsonFold {
  readonly #members = new Map<string, Member>();

  /**
   * @param json an object as `JSON.stringify` writes it
   * @returns the UTF-8 bytes of the texts that it appended
   */
  add(json: string): number {
    let bytes = 0;
    for (const [name, value] of membersOfJson(json)) {
      const before = this.#members.get(name);
      if (value.startsWith('"')) {
        const piece = JSON.parse(value) as string;
        bytes += utf8Length(piece);
        const text = before?.kind === 'text' ? before.text : new GatheredText();
        text.add(piece);
        if (before?.kind !== 'text') this.#members.set(name, { kind: 'text', text });
      } else if (value.startsWith('[')) {
        const elements = before?.kind === 'list' ? before.elements : new GatheredText();
        if (value !== '[]') {
          if (!elements.isEmpty) elements.add(',');
          elements.add(value.slice(1, -1));
        }
        if (before?.kind !== 'list') this.#members.set(name, { kind: 'list', elements });
      } else if (value !== 'null' || before === undefined) {
        this.#members.set(name, { kind: 'value', json: value });
      }
    }
    return bytes;
  }

  toJson(): string {
    const members = [...this.#members].map(([name, member]) => `${JSON.stringify(name)}:${jsonOf(member)}`);
    return `{${members.join(',')}}`;
  }
}

function jsonOf(member: Member): string {
  if (member.kind === 'text') return JSON.stringify(member.text.toString());
  return member.kind === 'list' ? `[${member.elements}]` : member.json;
}
