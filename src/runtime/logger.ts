import { once } from 'node:events';
import { trace } from '@opentelemetry/api';
import pino, { type DestinationStream, type LevelWithSilent } from 'pino';

export type Logger = pino.Logger;

/** Fields that hold secrets in configurations, HTTP requests and provider errors. */
const SECRET_FIELDS = ['apiKey', 'api_key', 'authorization', 'Authorization', 'password', 'secret', 'token'];

export interface LoggerOptions {
  readonly level: LevelWithSilent;
  /** Fields of every line, e.g. service and version. */
  readonly base?: Readonly<Record<string, unknown>>;
  /** Where lines go. Default: standard output. */
  readonly destination?: DestinationStream;
}

/**
 * JSON lines with the trace and span id of the context they are written in. Secret-looking fields are censored; even so,
 * prompts, answers and configuration objects do not belong into a log line.
 */
export function createLogger(options: LoggerOptions): Logger {
  const settings: pino.LoggerOptions = {
    level: options.level,
    base: options.base ?? {},
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    mixin: traceIds,
    redact: {
      paths: SECRET_FIELDS.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]),
      censor: '[redacted]',
    },
    serializers: { err: pino.stdSerializers.err, error: pino.stdSerializers.err },
  };
  return pino(settings, options.destination ?? standardOutput());
}

/** How long a blocked pipe is waited for. */
const LONGEST_WRITE_MS = 1_000;

/**
 * Standard output with ordered lines. If its destination allows it, pino writes a fatal line synchronously, ahead of lines that
 * are still being written.
 */
class LineOutput implements DestinationStream {
  private readonly stream = pino.destination({ sync: false });
  private isWriting = false;

  constructor() {
    this.stream.on('drain', () => {
      this.isWriting = false;
    });
  }

  write(line: string): void {
    this.isWriting = true;
    this.stream.write(line);
  }

  async written(): Promise<void> {
    if (!this.isWriting) return;
    await once(this.stream, 'drain', { signal: AbortSignal.timeout(LONGEST_WRITE_MS) }).catch(
      () => undefined,
    );
  }
}

let output: LineOutput | null = null;

/** One for all loggers of the process. */
function standardOutput(): LineOutput {
  output ??= new LineOutput();
  return output;
}

/** Resolves when every line is written, for a process that is about to end. */
export async function logWritten(): Promise<void> {
  await output?.written();
}

function traceIds(): Record<string, string> {
  const active = trace.getActiveSpan()?.spanContext();
  return active ? { trace_id: active.traceId, span_id: active.spanId } : {};
}

/** One entry as kafkajs logs it. Its levels: 1 error, 2 warning, 4 info, 5 debug. */
interface KafkaLogEntry {
  readonly namespace: string;
  readonly level: number;
  readonly log: Readonly<Record<string, unknown> & { message: unknown }>;
}

const KAFKA_WARNING = 2;

/**
 * kafkajs's `logCreator`. Everything from a warning up becomes a warning, because kafkajs logs reconnects and retries as
 * errors while it handles them itself or rejects with them; the rest are debug lines. A refused request is a debug line too: its
 * caller gets the error, and some refusals are part of normal work, as when a transaction is begun right after another.
 */
export function kafkaLogCreator(logger: Logger): () => (entry: KafkaLogEntry) => void {
  const kafkaLogger = logger.child({ component: 'kafkajs' });
  return () =>
    ({ namespace, level, log }) => {
      const { message, timestamp: _timestamp, logger: _logger, ...fields } = log;
      const noteworthy = level <= KAFKA_WARNING && !String(message).startsWith('Response ');
      kafkaLogger[noteworthy ? 'warn' : 'debug']({ namespace, ...fields }, String(message));
    };
}
