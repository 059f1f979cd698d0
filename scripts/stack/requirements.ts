import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { hasKafkaJars, hasMongod } from './downloads.ts';

const run = promisify(execFile);

const JAVA_AT_LEAST = 17;
const PROBE_TIMEOUT_MS = 10_000;

/** Lists why containers cannot be used on this machine. Empty when they can. */
export async function missingForContainers(): Promise<string[]> {
  if ((await output('docker', ['--version'])) === undefined) return ['docker is not installed'];
  const server = await output('docker', ['version', '--format', '{{.Server.Version}}']);
  if (server === undefined) return ['docker is installed, but no Docker engine answers'];
  if ((await output('docker', ['compose', 'version'])) === undefined) return ['docker has no compose plugin'];
  return [];
}

/** Lists why a Kafka broker cannot run as a local process. Empty when it can. */
export async function missingForKafkaProcess(): Promise<string[]> {
  const missing: string[] = [];
  const java = javaMajor((await output('java', ['-version'])) ?? '');
  if (java === undefined) missing.push(`java is not installed (${JAVA_AT_LEAST} or newer is needed)`);
  else if (java < JAVA_AT_LEAST) missing.push(`java is ${java} (${JAVA_AT_LEAST} or newer is needed)`);
  if (!hasKafkaJars() && (await output('mvn', ['--version'])) === undefined)
    missing.push('mvn is not installed');
  return missing;
}

/** Lists why mongod cannot run as a local process. Empty when it can. */
export async function missingForMongoProcess(): Promise<string[]> {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    return [
      `this way, mongod is available for Linux on x86-64 only (this is ${process.platform} on ${process.arch})`,
    ];
  }
  if (!hasMongod() && (await output('python3', ['-m', 'pip', '--version'])) === undefined) {
    return ['python3 with pip is not installed'];
  }
  return [];
}

/** The feature release in what `java -version` prints: 17 for `version "17.0.15"`, 8 for `version "1.8.0_402"`. */
export function javaMajor(versionOutput: string): number | undefined {
  const match = /version "(?:1\.)?(\d+)/.exec(versionOutput);
  return match?.[1] === undefined ? undefined : Number(match[1]);
}

/** The error message for a machine on which neither way works. It lists what each way lacks. */
export function neitherWayMessage(containers: string[], processes: string[]): string {
  return [
    'Kafka and MongoDB cannot be started on this machine. There are two ways to run them:',
    `  1. Docker with its compose plugin. Missing: ${containers.join('; ')}.`,
    `  2. Local processes: Java ${JAVA_AT_LEAST} or newer, Maven, and Python 3 with pip, on Linux x86-64. Missing: ${processes.join('; ')}.`,
    'Install what is missing for one of them (Debian, Ubuntu: apt-get install default-jre-headless maven python3-pip) and try again.',
  ].join('\n');
}

async function output(command: string, args: string[]): Promise<string | undefined> {
  try {
    const { stdout, stderr } = await run(command, args, { timeout: PROBE_TIMEOUT_MS });
    return stdout + stderr;
  } catch {
    return undefined;
  }
}
