import { systemClock } from '../clock.ts';
import type { Config } from '../config.ts';
import { createLogger } from '../logger.ts';
import { startService } from '../service.ts';
import type { CommandLine } from './tool.ts';

/** A signal to a whole group of processes comes once by itself and once from a parent that passes it on. */
const ECHO_MS = 1_000;

/**
 * Runs the service until it is told to stop or cannot go on.
 *
 * @returns 0 after a clean stop, 1 after a failure
 */
export async function serve(line: CommandLine, config: Config): Promise<number> {
  const logger = createLogger({
    level: config.logLevel,
    base: { service: 'completion-bus', version: line.version },
  });
  const ended = Promise.withResolvers<number>();
  const fail = (error: unknown, what: string) => {
    logger.fatal({ err: error }, what);
    ended.resolve(1);
  };
  // A bug must not leave a worker half alive: whoever supervises it starts it again.
  line.onUncaught((error) => {
    fail(error, 'unexpected error; ending');
    line.exitNow(1);
  });

  const service = await startService({
    config,
    logger,
    telemetry: line.telemetry,
    clock: systemClock,
    onFatal: (error) => fail(error, 'the connection to Kafka is gone and does not come back; ending'),
  });
  let first: { readonly signal: string; readonly at: number } | null = null;
  line.onSignal((signal) => {
    const at = systemClock.monotonic();
    if (first !== null) {
      if (signal === first.signal && at - first.at < ECHO_MS) return;
      logger.warn({ signal }, 'second signal: stopping at once; what runs will be delivered again');
      line.exitNow(1);
      return;
    }
    first = { signal, at };
    logger.info({ signal }, 'stopping');
    service.stop().then(
      () => ended.resolve(0),
      (error: unknown) => fail(error, 'the stop failed'),
    );
  });
  logger.info({ port: service.httpPort, group: config.kafka.groupId, roles: config.roles }, 'started');
  return ended.promise;
}
