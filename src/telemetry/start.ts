import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Meter, metrics } from '@opentelemetry/api';
import { OTLPMetricExporter as GrpcMetricExporter } from '@opentelemetry/exporter-metrics-otlp-grpc';
import { OTLPMetricExporter as JsonMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http';
import { OTLPMetricExporter as ProtobufMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import {
  defaultResource,
  envDetector,
  hostDetector,
  resourceFromAttributes,
  serviceInstanceIdDetector,
} from '@opentelemetry/resources';
import { type IMetricReader, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { SCOPE_NAME } from './names.ts';

/** How long `shutdown` waits for the last export. */
const SHUTDOWN_TIMEOUT_MS = 5000;
const DEFAULT_EXPORT_INTERVAL_MS = 60_000;
const DEFAULT_EXPORT_TIMEOUT_MS = 30_000;

export interface TelemetryOptions {
  /** Used unless `OTEL_SERVICE_NAME` or `OTEL_RESOURCE_ATTRIBUTES` says otherwise. */
  readonly serviceName: string;
  readonly serviceVersion: string;
  /** The process's environment: the SDK reads the standard `OTEL_*` names from it. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface Telemetry {
  readonly meter: Meter;
  /** Returns all metrics in Prometheus's text format. */
  readonly metricsHandler: (request: IncomingMessage, response: ServerResponse) => void;
  /** Exports the rest, for at most five seconds. Never rejects: telemetry must not fail a clean stop. */
  shutdown(): Promise<void>;
}

/**
 * Starts tracing and metrics. Call it before anything that is to be traced is imported.
 *
 * Spans and metrics are sent by OTLP only when an exporter or its endpoint is configured; otherwise spans cost next to
 * nothing, while trace context is still passed on from input to output. Metrics can always be read from `metricsHandler`.
 */
export function startTelemetry(options: TelemetryOptions): Telemetry {
  const { env } = options;
  const prometheus = new PrometheusExporter({ preventServerStart: true });
  const sdk = new NodeSDK({
    resource: defaultResource().merge(
      resourceFromAttributes({
        'service.name': options.serviceName,
        'service.version': options.serviceVersion,
      }),
    ),
    // The SDK's own choice has the command line too, and with it the prompt of `completion-bus chat`.
    ...(env['OTEL_NODE_RESOURCE_DETECTORS']
      ? {}
      : { resourceDetectors: [hostDetector, serviceInstanceIdDetector, envDetector] }),
    metricReaders: [prometheus, ...otlpMetricReaders(env)],
    // Without processors of our own the SDK takes those of OTEL_TRACES_EXPORTER, by default OTLP to localhost.
    ...(isExported('TRACES', env) ? {} : { spanProcessors: [] }),
    logRecordProcessors: [],
  });
  sdk.start();
  return {
    meter: metrics.getMeter(SCOPE_NAME, options.serviceVersion),
    metricsHandler: (request, response) => prometheus.getMetricsRequestHandler(request, response),
    shutdown: () => withinBound(sdk.shutdown()),
  };
}

/** An empty variable counts as not set, as OpenTelemetry's specification requires. */
function isExported(signal: 'TRACES' | 'METRICS', env: TelemetryOptions['env']): boolean {
  const exporter = env[`OTEL_${signal}_EXPORTER`]?.trim();
  if (exporter) return exporter !== 'none';
  return Boolean(env['OTEL_EXPORTER_OTLP_ENDPOINT'] || env[`OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`]);
}

/** The SDK's own choice of readers is lost when one is given to it, so OTLP metrics are set up here by the same names. */
function otlpMetricReaders(env: TelemetryOptions['env']): IMetricReader[] {
  const exporters = env['OTEL_METRICS_EXPORTER']?.split(',').map((name) => name.trim());
  if (!isExported('METRICS', env) || (exporters?.some(Boolean) && !exporters.includes('otlp'))) return [];
  const exportIntervalMillis = positive(env['OTEL_METRIC_EXPORT_INTERVAL']) ?? DEFAULT_EXPORT_INTERVAL_MS;
  const exportTimeoutMillis = positive(env['OTEL_METRIC_EXPORT_TIMEOUT']) ?? DEFAULT_EXPORT_TIMEOUT_MS;
  return [
    new PeriodicExportingMetricReader({
      exporter: otlpMetricExporter(env),
      exportIntervalMillis,
      exportTimeoutMillis: Math.min(exportTimeoutMillis, exportIntervalMillis),
    }),
  ];
}

function otlpMetricExporter(env: TelemetryOptions['env']) {
  switch (env['OTEL_EXPORTER_OTLP_METRICS_PROTOCOL'] || env['OTEL_EXPORTER_OTLP_PROTOCOL']) {
    case 'grpc':
      return new GrpcMetricExporter();
    case 'http/json':
      return new JsonMetricExporter();
    default:
      return new ProtobufMetricExporter();
  }
}

function positive(text: string | undefined): number | undefined {
  const value = Number(text);
  return value > 0 ? value : undefined;
}

async function withinBound(flushed: Promise<void>): Promise<void> {
  const bound = Promise.withResolvers<void>();
  const timer = setTimeout(bound.resolve, SHUTDOWN_TIMEOUT_MS);
  await Promise.race([flushed.catch(() => undefined), bound.promise]);
  clearTimeout(timer);
}
