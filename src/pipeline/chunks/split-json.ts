import { utf8Bytes } from './chunk-draft.ts';
import type { Pieces } from './pieces.ts';

/** Members of `logprobs` that are lists of tokens. */
const TOKEN_LISTS = ['content', 'refusal'] as const;

/** Splits a list of annotations between its elements. */
export function addAnnotations(pieces: Pieces, json: string): void {
  const whole = utf8Bytes(json);
  if (pieces.takeIfFits(whole)) {
    pieces.current.annotationsJson = json;
    return;
  }
  const list: unknown = JSON.parse(json);
  if (!Array.isArray(list)) {
    pieces.take('annotationsJson', whole);
    pieces.current.annotationsJson = json;
    return;
  }
  let texts: string[] = [];
  let target = pieces.current;
  const close = () => {
    if (texts.length > 0) target.annotationsJson = `[${texts.join(',')}]`;
    texts = [];
  };
  pieces.take('annotationsJson', 2);
  target = pieces.current;
  for (const element of list) {
    const text = JSON.stringify(element);
    const bytes = utf8Bytes(text) + 1;
    if (!pieces.takeIfFits(bytes)) {
      close();
      target = pieces.begin();
      pieces.take('annotationsJson', bytes + 2);
    }
    texts.push(text);
  }
  close();
}

/** Splits the lists of tokens between their elements. Everything else goes with the first piece. */
export function addLogprobs(pieces: Pieces, json: string): void {
  const whole = utf8Bytes(json);
  if (pieces.takeIfFits(whole)) {
    pieces.current.logprobsJson = json;
    return;
  }
  const value: unknown = JSON.parse(json);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    pieces.take('logprobsJson', whole);
    pieces.current.logprobsJson = json;
    return;
  }
  const members = Object.entries(value);
  const lists = new Map(
    members.filter(([name, list]) => TOKEN_LISTS.some((known) => known === name) && Array.isArray(list)),
  ) as Map<string, unknown[]>;
  // The first piece has every member in its place, so that their order stays.
  const head = members.map(([name, member]) => ({
    name: JSON.stringify(name),
    text: lists.has(name) ? null : JSON.stringify(member),
    key: name,
  }));
  const headBytes = 2 + head.reduce((sum, { name, text }) => sum + utf8Bytes(name) + utf8Bytes(text) + 4, 0);
  pieces.take('logprobsJson', headBytes);
  let target = pieces.current;
  let isFirst = true;
  let taken = new Map<string, string[]>();
  const listText = (name: string) => `[${(taken.get(name) ?? []).join(',')}]`;
  const close = () => {
    const parts = isFirst
      ? head.map(({ name, text, key }) => `${name}:${text ?? listText(key)}`)
      : [...taken.keys()].map((name) => `${JSON.stringify(name)}:${listText(name)}`);
    target.logprobsJson = `{${parts.join(',')}}`;
    isFirst = false;
    taken = new Map();
  };
  for (const [name, list] of lists) {
    for (const element of list) {
      const text = JSON.stringify(element);
      const bytes = utf8Bytes(text) + 1 + (isFirst || taken.has(name) ? 0 : name.length + 6);
      if (!pieces.takeIfFits(bytes)) {
        close();
        target = pieces.begin();
        pieces.take('logprobsJson', utf8Bytes(text) + 1 + name.length + 8);
      }
      const texts = taken.get(name);
      if (texts === undefined) taken.set(name, [text]);
      else texts.push(text);
    }
  }
  close();
}
