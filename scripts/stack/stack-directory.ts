import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';

export const checkoutDirectory = resolve(import.meta.dirname, '../..');

/** Holds Kafka's jars and the mongod binary. All stacks of this checkout share it, so a second stack downloads nothing. */
export const downloadsDirectory = join(checkoutDirectory, '.stack', 'downloads');

/** Directory of a stack's data, logs and state: `STACK_DIR`, otherwise `.stack` in the checkout. */
export function stackDirectory(): string {
  return resolve(process.env['STACK_DIR'] || join(checkoutDirectory, '.stack'));
}

/** A project name for this stack's containers that is unique to the checkout. */
export function composeProjectName(directory: string): string {
  return `completion-bus-${createHash('sha256').update(directory).digest('hex').slice(0, 10)}`;
}
