import { ChatBusError } from './chat-bus-error.ts';

/** Where in the topics an answer is to be found, by whichever process. */
export interface ResumePoint {
  readonly tenantId: string;
  readonly requestId: string;
  /** The key of the request's record. */
  readonly key: string;
  /** Partition and offset from which its chunks are read. */
  readonly chunks: readonly [partition: number, offset: number];
  /** Partition of its response, and the time (epoch ms) from which it is looked for. */
  readonly responses: readonly [partition: number, since: number];
}

const VERSION = 1;
/** Ids and keys have at most 1,024 characters of at most 4 bytes. */
const LONGEST_TOKEN = 32_768;

/** As text for logs, URLs and databases. It is no secret, but it names the request. */
export function encodeResumeToken(point: ResumePoint): string {
  const { tenantId, requestId, key, chunks, responses } = point;
  const fields = [VERSION, tenantId, requestId, key, ...chunks, ...responses];
  return Buffer.from(JSON.stringify(fields)).toString('base64url');
}

/** @throws ChatBusError `invalid_token` */
export function decodeResumeToken(token: string): ResumePoint {
  const fields = typeof token === 'string' && token.length <= LONGEST_TOKEN ? parse(token) : null;
  if (!Array.isArray(fields) || fields.length !== 8) throw invalid();
  const [version, tenantId, requestId, key, ...places] = fields as unknown[];
  const [chunkPartition, offset, responsePartition, since] = places;
  if (
    version !== VERSION ||
    typeof tenantId !== 'string' ||
    typeof requestId !== 'string' ||
    typeof key !== 'string' ||
    !isCount(chunkPartition) ||
    !isCount(offset) ||
    !isCount(responsePartition) ||
    !isCount(since)
  )
    throw invalid();
  return {
    tenantId,
    requestId,
    key,
    chunks: [chunkPartition, offset],
    responses: [responsePartition, since],
  };
}

function parse(token: string): unknown {
  try {
    return JSON.parse(Buffer.from(token, 'base64url').toString('utf8'));
  } catch {
    return null;
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function invalid(): ChatBusError {
  return new ChatBusError(
    'invalid_token',
    'this is not a resume token of this version; use an answer’s resumeToken as it is',
    { retryable: false },
  );
}
