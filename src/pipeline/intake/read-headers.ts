import { eventId } from '../../contract/event-id.ts';
import type { ChatRequest, HistoryMode, Problem } from '../../contract/record-types.ts';
import type { HeaderField } from '../../contract/request-body.ts';
import { LIMITS } from '../../domain/validate/limits.ts';
import { nameInPath } from '../../domain/validate/problem-list.ts';
import type { HeaderValue, InboundRecord } from '../../ports/kafka.ts';

const LABEL = 'label-';
const EPOCH_MS = /^\d{1,15}$/;
const ISO_INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)$/i;

const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * Reads the headers of a JSON request. An empty header counts as missing. If `request-id` is missing, the id follows from the
 * record's position. So a redelivered record is the same request.
 */
export function readHeaders(record: InboundRecord): {
  readonly fields: Pick<ChatRequest, HeaderField>;
  readonly problems: readonly Problem[];
} {
  const problems: Problem[] = [];
  const problem = (name: string, message: string) =>
    problems.push({ path: `headers.${nameInPath(name)}`, code: 'invalid_value', message });
  const text = (name: string): string | null => {
    const value = textOf(record.headers[name]);
    if (value === undefined) problem(name, 'it must be UTF-8 text, once');
    return value ?? null;
  };
  const read = <T>(name: string, parse: (text: string) => T | null, wayOut: string): T | null => {
    const value = text(name);
    const parsed = value === null ? null : parse(value);
    if (value !== null && parsed === null) problem(name, wayOut);
    return parsed;
  };

  const readLabels = (): Record<string, string> => {
    const names = Object.keys(record.headers);
    if (names.length <= LIMITS.headers) return labelsOf(names, text);
    const message = `the record has ${names.length} of them, but at most ${LIMITS.headers} are read; send fewer labels`;
    problems.push({ path: 'headers', code: 'too_large', message });
    return labelsOf([], text);
  };

  const { topic, partition, offset, timestamp } = record;
  const fields = {
    requestId: text('request-id') ?? eventId('ChatRequest', topic, partition, offset, timestamp),
    tenantId: text('tenant-id') ?? 'default',
    conversationId: text('conversation-id'),
    userId: text('user-id'),
    provider: text('provider'),
    fallbackModels: namesIn(text('fallback-models') ?? ''),
    history: read('history', historyMode, 'it must be NONE or STORED') ?? 'NONE',
    restartOnBreak: read('restart-on-break', truth, 'it must be true or false'),
    deadline: read(
      'deadline',
      instant,
      'it must be epoch milliseconds, or an ISO 8601 time with its offset, such as 2026-01-31T12:00:00Z',
    ),
    maxCost: text('max-cost'),
    maxCostCurrency: text('max-cost-currency'),
    labels: readLabels(),
  };
  return { fields, problems };
}

/** The sender chose the names, so the object has no prototype. */
function labelsOf(
  headers: readonly string[],
  text: (header: string) => string | null,
): Record<string, string> {
  const labels = Object.create(null) as Record<string, string>;
  for (const header of headers) {
    if (header.startsWith(LABEL) && header.length > LABEL.length)
      labels[header.slice(LABEL.length)] = text(header) ?? '';
  }
  return labels;
}

/** The names between commas, trimmed. */
function namesIn(list: string): string[] {
  return list
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}

/** Null if the header is missing; undefined if it cannot be read. */
function textOf(value: HeaderValue): string | null | undefined {
  if (value === undefined || value === null) return null;
  if (Array.isArray(value)) return value.length === 1 ? textOf(value[0]) : undefined;
  try {
    const text = typeof value === 'string' ? value : utf8.decode(value);
    return text === '' ? null : text;
  } catch {
    return undefined;
  }
}

function historyMode(text: string): HistoryMode | null {
  const mode = text.toUpperCase();
  return mode === 'NONE' || mode === 'STORED' ? mode : null;
}

function truth(text: string): boolean | null {
  if (text === 'true') return true;
  return text === 'false' ? false : null;
}

function instant(text: string): number | null {
  if (EPOCH_MS.test(text)) return Number(text);
  const parsed = ISO_INSTANT.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(parsed) ? null : parsed;
}
