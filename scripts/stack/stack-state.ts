import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ProcessRecord } from './processes.ts';

/** State that a command needs about the servers an earlier command started. */
export interface StackState {
  /** How the stack was last started. */
  mode?: 'containers' | 'processes';
  clusterId?: string;
  kafkaPort?: number;
  mongodbPort?: number;
  kafka?: ProcessRecord;
  mongodb?: ProcessRecord;
}

/** Reads the stack's state, which is empty before the first start. */
export async function readState(directory: string): Promise<StackState> {
  const text = await readFile(stateFile(directory), 'utf8').catch(() => '{}');
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(
      `${stateFile(directory)} is damaged. Stop the servers on the stack's ports, delete the file and try again.`,
      { cause: error },
    );
  }
}

/** Replaces the whole state atomically. A command that dies while writing leaves the previous state. */
export async function writeState(directory: string, state: StackState): Promise<void> {
  const file = stateFile(directory);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(`${file}.new`, `${JSON.stringify(state, null, 2)}\n`);
  await rename(`${file}.new`, file);
}

export async function removeState(directory: string): Promise<void> {
  await rm(stateFile(directory), { force: true });
}

function stateFile(directory: string): string {
  return join(directory, 'state.json');
}
