import type { Script } from './script.ts';

/** Tokens as texts and as the JSON of their deltas, so that sending one costs no serializing. */
export interface TextTokens {
  texts: readonly string[];
  deltas: readonly string[];
  /** How many of them there are: the arrays may be longer. */
  length: number;
}

const vocabulary =
  'every word leaves as soon as it is ready and the next one follows a moment later in the same order until the answer is whole'.split(
    ' ',
  );

/** Grows to the longest count asked for; shared by all streams, one list per choice. */
const madeUp: { texts: string[]; deltas: string[] }[] = [];

/** The tokens of one choice: the script's text by words, or as many made-up ones as it asks for. */
export function textTokens(script: Script, choice: number): TextTokens {
  if (script.text === undefined) return madeUpTokens(script.tokens ?? 0, choice);
  const texts = script.text.match(/\s*\S+|\s+$/g) ?? [];
  return { texts, deltas: texts.map(deltaOf), length: texts.length };
}

function madeUpTokens(length: number, choice: number): TextTokens {
  madeUp[choice] ??= { texts: [], deltas: [] };
  const tokens = madeUp[choice];
  for (let index = tokens.texts.length; index < length; index += 1) {
    const word = vocabulary[(index + 7 * choice) % vocabulary.length] ?? '';
    const text = index === 0 ? word : ` ${word}`;
    tokens.texts.push(text);
    tokens.deltas.push(deltaOf(text));
  }
  return { ...tokens, length };
}

function deltaOf(text: string): string {
  return JSON.stringify({ content: text });
}
