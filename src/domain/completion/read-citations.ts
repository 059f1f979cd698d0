import type { UrlCitation } from '../../contract/record-types.ts';
import { isObject } from '../text/is-object.ts';

/** Positions are Avro ints. */
const LAST_POSITION = 2_147_483_647;
const MAX_TITLE_CHARACTERS = 4_096;
const MAX_URL_CHARACTERS = 32_768;

const OF_ANNOTATION: ReadonlySet<string> = new Set(['type', 'url_citation']);
const OF_CITATION: ReadonlySet<string> = new Set(['start_index', 'end_index', 'title', 'url']);

/** A JSON list of annotations, split into citations and others. */
export interface ReadAnnotations {
  readonly citations: UrlCitation[];
  /** As received: annotations of other types, and those with members that a citation cannot hold. */
  readonly others: readonly unknown[];
}

/**
 * Reads annotations. Missing members of a web citation are 0 or empty. An annotation with a member that does not fit the
 * contract is not read as a citation: a changed address or position would be wrong.
 */
export function readAnnotations(annotationsJson: string): ReadAnnotations {
  const annotations: unknown = JSON.parse(annotationsJson);
  const citations: UrlCitation[] = [];
  const others: unknown[] = [];
  for (const annotation of Array.isArray(annotations) ? annotations : [annotations]) {
    const value = membersOf(annotation)?.['url_citation'];
    const citation = readCitation(value);
    if (citation !== null) citations.push(citation);
    if (citation === null || hasMore(annotation, OF_ANNOTATION) || hasMore(value, OF_CITATION))
      others.push(annotation);
  }
  return { citations, others };
}

function hasMore(value: unknown, known: ReadonlySet<string>): boolean {
  return Object.entries(membersOf(value) ?? {}).some(([name, member]) => !known.has(name) && member !== null);
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
  return isObject(value) ? value : null;
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
