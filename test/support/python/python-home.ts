import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/**
 * A folder under `.stack/python` whose `bin` has a Python with the packages that a requirements file names, installed once for each version
 * of that file.
 */
export async function pythonHome(requirements: string): Promise<string> {
  const version = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 12);
  const home = `${root}.stack/python/${version}`;
  if (existsSync(`${home}/bin/python`)) return home;
  // Built aside and moved into place whole: test workers may get here at the same time, and any may be stopped half-way.
  const building = `${home}.${process.pid}`;
  await mkdir(`${root}.stack/python`, { recursive: true });
  try {
    await run('python3', ['-m', 'venv', building]);
    await run(`${building}/bin/python`, ['-m', 'pip', 'install', '--quiet', '--requirement', requirements]);
  } catch (cause) {
    await rm(building, { recursive: true, force: true });
    throw new Error(`${requirements} needs python3 (3.10 or newer) with venv and pip, and a package index.`, {
      cause,
    });
  }
  await rename(building, home).catch(async (error: unknown) => {
    if (!existsSync(`${home}/bin/python`)) throw error;
    await rm(building, { recursive: true, force: true });
  });
  return home;
}

/** Runs a command to its end. @returns what it wrote @throws with its errors when it fails */
export async function run(command: string, args: string[], input = ''): Promise<string> {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  const exit = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  // A command that fails early closes its input; its exit code and stderr say more than EPIPE.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const [code, stdout, stderr] = await Promise.all([exit, text(child.stdout), text(child.stderr)]);
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} exited with ${code}:\n${stderr}`);
  return stdout;
}
