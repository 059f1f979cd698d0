import { Command } from 'commander';
import { type StackAddresses, stackAddresses, stackDown, stackStatus, stackUp } from './stack/stack.ts';

const onProgress = (line: string) => console.error(line);

const program = new Command('npm run stack --')
  .description(
    'Kafka and MongoDB for trials and tests. Uses containers if Docker is available, otherwise local processes.',
  )
  .addHelpText(
    'after',
    `
Environment:
  STACK_KAFKA_PORT    port of 127.0.0.1 for Kafka (default: 9092, or a free port if 9092 is taken)
  STACK_MONGODB_PORT  port of 127.0.0.1 for MongoDB (default: 27017, or a free port if 27017 is taken)
  STACK_DIR           directory for data, logs and state (default: .stack in the checkout)`,
  );

program
  .command('up')
  .description('start the servers that are not running, and wait until they answer')
  .action(async () => {
    const startedAt = Date.now();
    const addresses = await stackUp({ onProgress });
    onProgress(`The stack is up (${((Date.now() - startedAt) / 1000).toFixed(1)} s).`);
    print(addresses);
  });

program
  .command('down')
  .description('stop both servers and keep their data')
  .option('--purge', 'also remove their data, logs and remembered ports')
  .action(async (options: { purge?: boolean }) => {
    await stackDown({ onProgress, purge: options.purge ?? false });
    onProgress(options.purge ? 'The stack is down and its data is removed.' : 'The stack is down.');
  });

program
  .command('status')
  .description('show which servers run and answer; exits with 1 unless both do')
  .action(async () => {
    const servers = await stackStatus();
    for (const { name, state, address, pid } of servers) {
      const where = state === 'stopped' ? '' : `${address}${pid === undefined ? '' : `  process ${pid}`}`;
      console.log(`${name.padEnd(8)} ${state.padEnd(8)} ${where}`.trimEnd());
    }
    if (servers.some((server) => server.state !== 'running')) process.exitCode = 1;
  });

program
  .command('env')
  .description('print the addresses as NAME=value lines, and nothing else')
  .action(async () => print(await stackAddresses()));

function print(addresses: StackAddresses): void {
  console.log(`KAFKA_BROKERS=${addresses.kafkaBrokers.join(',')}`);
  console.log(`MONGODB_URL=${addresses.mongodbUrl}`);
}

try {
  await program.parseAsync();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
