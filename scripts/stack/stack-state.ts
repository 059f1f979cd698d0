import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ProcessRecord } from './processes.ts';

/** What one command must know about what an earlier one started. */
export interface StackState {
  /** How the stack was started last. */
  mode?: 'containers' | 'processes';
  clusterId?: string;
  kafkaPort?: number;
  mongodbPort?: number;
  kafka?: ProcessRecord;
  mongodb?: ProcessRecord;
}

/** The stack's state; empty before its first start. */
export async function readState(directory: string): Promise<StackState> {
  const text = await readFile(stateFile(directory), 'utf8').catch(() => '{}');
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(
      `${stateFile(directory)} is damaged: stop what runs on the stack's ports, delete the file and try again`,
      { cause: error },
    );
  }
}

/** Replaces the state as a whole: a command that dies while writing leaves the previous one. */
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
