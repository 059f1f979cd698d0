import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A span as the quickstart shows it. Times are epoch milliseconds. */
export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Null for the first span of a trace. */
  readonly parentId: string | null;
  readonly name: string;
  readonly service: string;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly failed: boolean;
}

export interface TraceReceiver {
  /** Base URL for OTEL_EXPORTER_OTLP_ENDPOINT. */
  readonly url: string;
  /** Resolves with the spans of a trace once each of `prefixes` starts a span name, or with those received at the timeout. */
  trace(traceId: string, prefixes: readonly string[], timeoutMs: number): Promise<ReceivedSpan[]>;
  close(): Promise<void>;
}

/** The fields this receiver reads of an OTLP/HTTP export in JSON. @see https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding */
interface TraceExport {
  readonly resourceSpans?: readonly {
    readonly resource?: { readonly attributes?: readonly OtlpAttribute[] };
    readonly scopeSpans?: readonly { readonly spans?: readonly OtlpSpan[] }[];
  }[];
}

interface OtlpAttribute {
  readonly key: string;
  readonly value: { readonly stringValue?: string };
}

interface OtlpSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly status?: { readonly code?: number };
}

const STATUS_ERROR = 2;

/** Receives spans by OTLP/HTTP in JSON on a free port of 127.0.0.1 and keeps them in memory. */
export async function startTraceReceiver(): Promise<TraceReceiver> {
  const spans: ReceivedSpan[] = [];
  const waiting = new Set<() => void>();
  const server = createServer(async (request, response) => {
    try {
      const body = await readBody(request);
      if (request.url === '/v1/traces') spans.push(...readSpans(JSON.parse(body) as TraceExport));
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    } catch {
      response.writeHead(400).end();
    }
    for (const look of waiting) look();
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;

  return {
    url: `http://127.0.0.1:${port}`,
    async trace(traceId, prefixes, timeoutMs) {
      const own = () => spans.filter((span) => span.traceId === traceId);
      const complete = Promise.withResolvers<void>();
      const look = () => {
        const names = own().map(({ name }) => name);
        if (prefixes.every((prefix) => names.some((name) => name.startsWith(prefix)))) complete.resolve();
      };
      const timer = setTimeout(complete.resolve, timeoutMs);
      waiting.add(look);
      look();
      await complete.promise;
      waiting.delete(look);
      clearTimeout(timer);
      return own();
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function readBody(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString('utf8');
}

function readSpans({ resourceSpans = [] }: TraceExport): ReceivedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans = [] }) => {
    const service = resource?.attributes?.find(({ key }) => key === 'service.name')?.value.stringValue;
    return scopeSpans.flatMap(({ spans = [] }) =>
      spans.map((span) => ({
        traceId: span.traceId,
        spanId: span.spanId,
        parentId: span.parentSpanId || null,
        name: span.name,
        service: service ?? 'unknown',
        startedAt: Number(span.startTimeUnixNano) / 1e6,
        endedAt: Number(span.endTimeUnixNano) / 1e6,
        failed: span.status?.code === STATUS_ERROR,
      })),
    );
  });
}
