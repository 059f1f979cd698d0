import { answerLimits, LimitExceeded } from './answer-limits.ts';

/** A shorter text cannot be deep or long enough to matter. */
const HARMLESS_CHARACTERS = 512;

/**
 * Looks at a JSON text before it is parsed: deep nesting overflows the stack of code that walks the result, and millions
 * of small values take long to parse. Texts inside it are skipped.
 *
 * @returns its brackets, commas and colons; 0 when it is too short to matter
 * @throws LimitExceeded
 */
export function checkJson(text: string): number {
  if (text.length <= HARMLESS_CHARACTERS) return 0;
  let depth = 0;
  let marks = 0;
  for (let index = 0; index < text.length; index += 1) {
    switch (text.charCodeAt(index)) {
      case 0x22:
        index = endOfText(text, index);
        break;
      case 0x5b:
      case 0x7b:
        marks += 1;
        depth += 1;
        if (depth > answerLimits.jsonDepth) throw new LimitExceeded('jsonDepth');
        break;
      case 0x5d:
      case 0x7d:
        depth -= 1;
        break;
      case 0x2c:
      case 0x3a:
        marks += 1;
        if (marks > answerLimits.jsonMarks) throw new LimitExceeded('jsonMarks');
        break;
    }
  }
  return marks;
}

/** Where the text ends that begins here: at a quote behind an even number of backslashes. */
function endOfText(json: string, start: number): number {
  for (let end = json.indexOf('"', start + 1); end !== -1; end = json.indexOf('"', end + 1)) {
    let before = end - 1;
    while (json.charCodeAt(before) === 0x5c) before -= 1;
    if ((end - before) % 2 === 1) return end;
  }
  return json.length;
}
