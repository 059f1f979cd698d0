import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';

export const checkoutDirectory = resolve(import.meta.dirname, '../..');

/** Kafka's jars and the mongod binary: shared by every stack of this checkout, so that a second one downloads nothing. */
export const downloadsDirectory = join(checkoutDirectory, '.stack', 'downloads');

/** Where a stack keeps its data, logs and state: `STACK_DIR`, else `.stack` in the checkout. */
export function stackDirectory(): string {
  return resolve(process.env['STACK_DIR'] || join(checkoutDirectory, '.stack'));
}

/** A name for this stack's containers that no other checkout's stack has. */
export function composeProjectName(directory: string): string {
  return `completion-bus-${createHash('sha256').update(directory).digest('hex').slice(0, 10)}`;
}
