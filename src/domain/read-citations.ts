import type { UrlCitation } from '../contract/records.ts';

/** Positions are Avro ints. */
const LAST_POSITION = 2_147_483_647;
const MAX_TITLE_CHARACTERS = 4_096;
const MAX_URL_CHARACTERS = 32_768;

/**
 * The web citations in a JSON list of annotations. Members that are absent are 0 or empty. An annotation of another type,
 * or with a member that does not fit the contract, is left out: a citation with a changed address or place would be wrong.
 */
export function readCitations(annotationsJson: string): UrlCitation[] {
  const annotations: unknown = JSON.parse(annotationsJson);
  const citations: UrlCitation[] = [];
  if (!Array.isArray(annotations)) return citations;
  for (const annotation of annotations) {
    const citation = readCitation(membersOf(annotation)?.['url_citation']);
    if (citation !== null) citations.push(citation);
  }
  return citations;
}

function readCitation(value: unknown): UrlCitation | null {
  const members = membersOf(value);
  if (members === null) return null;
  const startIndex = position(members['start_index']);
  const endIndex = position(members['end_index']);
  const title = text(members['title'], MAX_TITLE_CHARACTERS);
  const url = text(members['url'], MAX_URL_CHARACTERS);
  if (startIndex === null || endIndex === null || title === null || url === null) return null;
  return { startIndex, endIndex, title, url };
}

function membersOf(value: unknown): Readonly<Record<string, unknown>> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null;
}

function position(value: unknown): number | null {
  const number = value ?? 0;
  return Number.isInteger(number) && (number as number) >= 0 && (number as number) <= LAST_POSITION
    ? (number as number)
    : null;
}

function text(value: unknown, maxCharacters: number): string | null {
  const characters = value ?? '';
  return typeof characters === 'string' && characters.length <= maxCharacters
    ? characters.toWellFormed()
    : null;
}
