/**
 * `npm run bench [-- --quick] [-- --only throughput,latency] [-- --profile]`: compares the service with the alternatives to
 * it, in one run on one machine. See docs/performance.md.
 */
import { fileURLToPath } from 'node:url';
import { ensureStack, stackStatus } from '../../scripts/stack/stack.ts';
import { parseOptions, type SectionName, USAGE } from './options.ts';
import { profile } from './profile.ts';
import { machineText, sectionText, writeReport } from './report.ts';
import { growth } from './sections/growth.ts';
import { lanes } from './sections/lanes.ts';
import { latency } from './sections/latency.ts';
import { memory } from './sections/memory.ts';
import { settling } from './sections/settling.ts';
import { throughput } from './sections/throughput.ts';
import type { BenchContext, Section } from './support/bench-context.ts';
import { describeMachine } from './support/machine.ts';

const RESULTS = fileURLToPath(new URL('results/', import.meta.url));

const sections: Readonly<Record<SectionName, (context: BenchContext) => Promise<Section>>> = {
  throughput,
  latency,
  memory,
  settling,
  growth,
  lanes,
};

process.exitCode = await main();
// kafkajs leaves timers behind that would delay the exit.
process.exit();

async function main(): Promise<number> {
  let options: ReturnType<typeof parseOptions>;
  try {
    options = parseOptions(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    return 2;
  }
  const startedAt = new Date();

  // 1. Start broker and database, and describe the machine.
  const { kafkaBrokers, mongodbUrl } = await ensureStack();
  process.env['KAFKA_BROKERS'] = kafkaBrokers.join(',');
  process.env['MONGODB_URL'] = mongodbUrl;
  const machine = await describeMachine(mongodbUrl);
  const servers = Object.fromEntries(
    (await stackStatus()).map(({ name, pid }) => [name === 'Kafka' ? 'kafka' : 'mongod', pid]),
  );
  const context: BenchContext = {
    quick: options.quick,
    servers,
    say: (line) => process.stderr.write(`${line}\n`),
  };
  process.stdout.write(machineText(machine));
  if (options.profile) {
    process.stdout.write(await profile(context, `${RESULTS}profile`));
    return 0;
  }

  // 2. Run the sections, and print each as soon as it is done.
  const results: Partial<Record<SectionName, Section>> = {};
  for (const name of options.only) {
    const section = await sections[name](context);
    results[name] = section;
    process.stdout.write(sectionText(section));
  }

  // 3. Write the results as JSON.
  const durationSeconds = Math.round((Date.now() - startedAt.getTime()) / 1000);
  const file = writeReport(
    { startedAt: startedAt.toISOString(), durationSeconds, quick: options.quick, machine, sections: results },
    RESULTS,
  );
  process.stdout.write(`${durationSeconds} s; written to ${file} and latest.json beside it\n`);
  return 0;
}
