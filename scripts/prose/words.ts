/** Words that the project does not use, each with what to write instead. Matched against lower-case words, identifiers split. */
const STILTED: readonly (readonly [RegExp, string])[] = [
  [/\b(is|be|was|are|were|been|gets?) told\b|\b(un)?told\b/, 'reported, informed'],
  [/\btells\b/, 'reports, shows'],
  [/\banew\b|\bafresh\b/, 'again, from scratch'],
  [/\bwhoever\b/, 'name the actor'],
  [/\bby (itself|themselves)\b/, 'automatically, alone'],
  [/(?<!there )\b(is|are|was|were) none\b/, 'is not a …'],
  [/\bunder way\b/, 'in flight'],
  [/\b(gives?|giving|given|gave) (it |them )?back\b/, 'release'],
  [/\bbur(y|ied|ies)\b/, 'send to the dead-letter topic'],
  [/\bexcused\b/, 'retried without counting'],
  [/\bnothing is known\b/, 'in doubt, unknown'],
  [/\b(record|request)s? comes? again\b/, 'is redelivered'],
  [/\ba person must look\b/, 'needs an operator'],
  [/\bas well as it can\b/, 'best effort'],
  [/\bthe way of a request\b/, 'the request lifecycle'],
];

/** @returns one line per occurrence: `file:line: 'word': write …` */
export function stiltedWords(file: string, text: string): string[] {
  return text.split('\n').flatMap((line, index) => {
    const words = plainWords(line);
    return STILTED.flatMap(([pattern, instead]) => {
      const found = pattern.exec(words);
      return found === null ? [] : [`${file}:${index + 1}: '${found[0]}': write ${instead}`];
    });
  });
}

/** `giveBackPermit` reads `give back permit`. */
function plainWords(line: string): string {
  return line.replaceAll(/([a-z])([A-Z])/g, '$1 $2').toLowerCase();
}
