import { endOfString } from '../../../domain/text/json-text.ts';
import { answerLimits, LimitExceeded } from './answer-limits.ts';

/** A shorter text cannot be deep or long enough to matter. */
const HARMLESS_CHARACTERS = 512;

/**
 * Looks at a JSON text before it is parsed: deep nesting overflows the stack of code that walks the result, and millions
 * of small values take long to parse. Texts inside it are skipped.
 *
 * @throws LimitExceeded
 */
export function checkJson(text: string): void {
  if (text.length <= HARMLESS_CHARACTERS) return;
  let depth = 0;
  let marks = 0;
  for (let index = 0; index < text.length; index += 1) {
    switch (text.charCodeAt(index)) {
      case 0x22:
        index = endOfString(text, index);
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
}
