import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * Sends a signal to a broker that runs as a local process.
 *
 * @param directory of its cluster, as named in its command line
 * @throws when there is no such process, e.g. because the cluster runs in containers
 */
export async function signalBroker(directory: string, id: number, signal: NodeJS.Signals): Promise<void> {
  const marker = `kafka.Kafka ${directory}/broker-${id}/`;
  const { stdout } = await run('ps', ['-ww', '-A', '-o', 'pid=,command=']);
  const line = stdout.split('\n').find((candidate) => candidate.includes(marker));
  if (line === undefined) {
    throw new Error(
      `broker ${id} of ${directory} is no process here: this fault needs Java, so that brokers run without containers`,
    );
  }
  process.kill(Number(line.trim().split(' ')[0]), signal);
}
