import { reachBroker } from '../../adapters/kafka/reach-broker.ts';
import { loadConfig } from '../../config/load-config.ts';
import { DefectFound } from '../../roles/role.ts';
import { fired } from '../../runtime/fired.ts';
import { createLogger, type Logger } from '../../runtime/logger.ts';
import { systemClock } from '../../runtime/system-clock.ts';
import { startService } from '../../service/service.ts';
import type { CommandLine } from '../options/tool.ts';
import { ineffectiveVariables } from '../options/unknown-variables.ts';

/** A signal to a whole process group arrives twice: directly, and from a parent that forwards it. */
const ECHO_MS = 1_000;
/** The time for a stop beyond the drain: releasing claims, leaving groups, closing connections. */
const CLOSING_MS = 15_000;
/** The part of the drain timeout after which a process with a bug ends, and keeps the claims of requests that still run. */
const DEFECT_DRAIN_PART = 0.9;

/** Why the service ends without a stop signal. */
interface Cause {
  readonly error: unknown;
  /** The role that cannot continue; absent for an uncaught error. */
  readonly role?: string;
}

/**
 * Runs the service until it is stopped or cannot continue. Either way it first finishes and settles what runs, and releases the
 * rest. Its last line names the cause.
 *
 * @returns 0 after a clean stop, 1 after a failure
 * @throws the error that keeps it from starting
 */
export async function serve(line: CommandLine): Promise<number> {
  const config = loadConfig(line.env, { readFile: line.readFile, serve: true });
  const logger = createLogger({
    level: config.logLevel,
    base: { service: 'completion-bus', version: line.version },
  });
  const stop = new AbortController();
  const late = Promise.withResolvers<'late'>();
  let cause: Cause | null = null;

  // 1 Prepare everything that can end the service before anything starts.
  const begin = (withinMs: number) => {
    setTimeout(late.resolve, withinMs, 'late').unref();
    const isDefect = cause !== null && cause.role === undefined;
    stop.abort(isDefect ? new DefectFound('an error was not caught') : new Error('the service is stopping'));
  };
  const fail = (first: Cause, withinMs: number) => {
    // Later failures are consequences of the cause.
    if (cause !== null) return;
    cause = first;
    logger.fatal(fieldsOf(first), 'the service cannot go on; finishing what runs, then ending');
    begin(withinMs);
  };
  onSignals(line, logger, () => begin(config.drainTimeoutMs + CLOSING_MS));
  // A bug must not leave a worker half alive. A request that does not end in time may be its cause. That request keeps its claim,
  // so the crash counts against it and no other request.
  line.onUncaught((error) => {
    if (cause !== null) logger.error({ err: error }, 'unexpected error while ending');
    fail({ error }, DEFECT_DRAIN_PART * config.drainTimeoutMs);
  });

  // 2 Run.
  logger.info({ roles: config.roles }, 'starting');
  for (const { name, message } of ineffectiveVariables(line.env))
    logger.warn({ variable: name, reason: message }, 'a variable of the environment has no effect');
  reachBroker(config.kafka).catch((error: unknown) =>
    logger.warn(
      { err: error, brokers: config.kafka.brokers },
      'no Kafka broker could be reached yet; trying again',
    ),
  );
  const run = async () => {
    const service = await startService({
      config,
      logger,
      telemetry: line.telemetry,
      clock: systemClock,
      signal: stop.signal,
      onFatal: (error, role) => fail({ error, role }, config.drainTimeoutMs + CLOSING_MS),
    });
    logger.info({ port: service.httpPort, group: config.kafka.groupId, roles: config.roles }, 'started');
    await fired(stop.signal);
    await service.stop();
  };

  // 3 End.
  const ended = await Promise.race([run(), late.promise]).catch((error: unknown) => {
    if (error !== stop.signal.reason) throw error;
  });
  if (ended === 'late') logger.error('the stop took too long; ending without waiting for the rest');
  if (cause !== null) logger.fatal(fieldsOf(cause), 'the service has ended because of this error');
  return ended === 'late' || cause !== null ? 1 : 0;
}

/** The first signal stops the service, a second one ends the process at once. */
function onSignals(line: CommandLine, logger: Logger, stop: () => void): void {
  let first: { readonly signal: string; readonly at: number } | null = null;
  line.onSignal((signal) => {
    const at = systemClock.monotonic();
    if (first === null) {
      first = { signal, at };
      logger.info({ signal }, 'stopping');
      stop();
      return;
    }
    if (signal === first.signal && at - first.at < ECHO_MS) return;
    logger.warn({ signal }, 'second signal: stopping at once; running requests will be redelivered');
    line.exitNow(1);
  });
}

const fieldsOf = ({ error, role }: Cause) => ({ err: error, ...(role !== undefined && { role }) });
