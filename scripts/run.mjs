// Runs a script of this project with a recent Node and with its dependencies installed. This file is plain JavaScript
// without dependencies, because it runs first on a fresh clone, on any Node the user has (16 or newer).
//
//   node scripts/run.mjs [--no-install] SCRIPT [ARGS…]
//   node scripts/run.mjs [--no-install] --bin NAME [ARGS…]      a program of node_modules/.bin
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const NODE_AT_LEAST = [22, 22];
const NODE_FETCHED = '24';
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

const checkout = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const rememberedNodeFile = join(checkout, '.stack', `node-${NODE_FETCHED}-path`);

main(process.argv.slice(2)).catch((error) => fail(error.stack));

async function main(commandLine) {
  const install = commandLine[0] !== '--no-install';
  const rest = install ? commandLine : commandLine.slice(1);
  const isProgram = rest[0] === '--bin';
  const [target, ...args] = isProgram ? rest.slice(1) : rest;
  if (target === undefined) fail('usage: node scripts/run.mjs [--no-install] SCRIPT|--bin NAME [ARGS…]');

  // 1. Find a recent Node and put it first on the path.
  const node = isNewEnough(process.version) ? process.execPath : await fetchNode();
  const env = { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH ?? ''}` };

  // 2. Install the dependencies that the lock file lists.
  if (install && !isInstalled()) await installDependencies(node, env);

  // 3. Run the script as if the user had started it directly.
  const script = isProgram
    ? realpathSync(join(checkout, 'node_modules', '.bin', target))
    : resolve(checkout, target);
  runScript(node, script, args, env);
}

function isNewEnough(version) {
  const [major, minor] = version.replace(/^v/, '').split('.').map(Number);
  return major > NODE_AT_LEAST[0] || (major === NODE_AT_LEAST[0] && minor >= NODE_AT_LEAST[1]);
}

/** Returns the path of a Node 24, which npm downloads and caches. */
async function fetchNode() {
  const remembered = existsSync(rememberedNodeFile) ? readFileSync(rememberedNodeFile, 'utf8') : '';
  if (remembered !== '' && nodeWorks(remembered)) return remembered;
  tell(
    `Node ${process.version} is too old. Downloading Node ${NODE_FETCHED} with npm (first time only, kept in npm's cache) …`,
  );
  const args = ['exec', '--yes', `--package=node@${NODE_FETCHED}`, '--', 'node', '-p', 'process.execPath'];
  const result = await npm(args, process.execPath, process.env);
  const path = result.output.trim().split('\n').pop();
  if (result.code !== 0 || !nodeWorks(path)) {
    fail(
      `npm could not download Node ${NODE_FETCHED}. Install Node ${NODE_AT_LEAST.join('.')} or newer ` +
        '(https://nodejs.org) and run the same command again.',
    );
  }
  mkdirSync(dirname(rememberedNodeFile), { recursive: true });
  writeFileSync(rememberedNodeFile, path);
  return path;
}

function nodeWorks(path) {
  const result = spawnSync(path, ['--version'], { encoding: 'utf8' });
  return result.status === 0 && isNewEnough(result.stdout.trim());
}

/**
 * Whether node_modules matches package-lock.json. npm writes a record of what it installed there as its last step.
 * Packages for other platforms appear in the lock file only.
 */
function isInstalled() {
  const recordFile = join(checkout, 'node_modules', '.package-lock.json');
  if (!existsSync(recordFile)) return false;
  const installed = JSON.parse(readFileSync(recordFile, 'utf8')).packages;
  const { '': _project, ...locked } = JSON.parse(
    readFileSync(join(checkout, 'package-lock.json'), 'utf8'),
  ).packages;
  const isRight = (path) =>
    installed[path] === undefined
      ? locked[path].optional === true || locked[path].devOptional === true
      : installed[path].integrity === locked[path].integrity;
  return (
    Object.keys(locked).every(isRight) && Object.keys(installed).every((path) => locked[path] !== undefined)
  );
}

async function installDependencies(node, env) {
  tell('Installing the dependencies with npm ci (first time, or package-lock.json changed) …');
  const startedAt = Date.now();
  const seconds = () => ((Date.now() - startedAt) / 1000).toFixed(1);
  const reminder = setInterval(
    () => tell(`Installing the dependencies … still running after ${seconds()} s`),
    5000,
  );
  const { code, output } = await npm(['ci', '--include=dev', '--no-audit', '--no-fund'], node, env);
  clearInterval(reminder);
  if (code !== 0)
    fail(`${output}npm ci failed, see its messages above. Fix the cause and run the same command again.`);
  tell(`Dependencies installed in ${seconds()} s.`);
}

/** Runs the npm that started this script, otherwise the npm on the path. Captures its standard output, to keep ours for the script. */
function npm(args, node, env) {
  const script = process.env.npm_execpath;
  const isNpm = script !== undefined && /npm-cli\.c?js$/.test(script);
  const [command, ...first] = isNpm ? [node, script] : ['npm'];
  const child = spawn(command, [...first, ...args], {
    cwd: checkout,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  // Stop the installation too when this process is stopped.
  const stops = SIGNALS.map((signal) => [
    signal,
    () => {
      child.kill(signal);
      endLike(null, signal);
    },
  ]);
  for (const [signal, stop] of stops) process.on(signal, stop);
  child.once('close', () => {
    for (const [signal, stop] of stops) process.off(signal, stop);
  });
  let output = '';
  child.stdout.on('data', (data) => {
    output += data;
  });
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ code: 1, output: `${output}${error.message}\n` }));
    child.once('close', (code) => resolve({ code, output }));
  });
}

function runScript(node, script, args, env) {
  const flags = [
    // Node 22 runs TypeScript, but warns each time that this is experimental.
    '--disable-warning=ExperimentalWarning',
    // Scripts and benchmarks use unpatched kafkajs, which sets timers with negative delays. That is harmless, but Node warns.
    '--disable-warning=TimeoutNegativeWarning',
  ];
  const commandLine = [...flags, script, ...args];
  // Replace this process with the script where possible. Signals then reach the script directly, and no child is left behind.
  if (typeof process.execve === 'function' && process.platform !== 'win32') {
    try {
      process.execve(node, [node, ...commandLine], env);
    } catch (error) {
      fail(`${node} cannot be run: ${error.message}`);
    }
  }
  const child = startChild(node, commandLine, { stdio: 'inherit', env });
  child.once('error', (error) => fail(`${node} cannot be run: ${error.message}`));
  child.once('exit', endLike);
}

/** Starts a child process and forwards every signal to it from the start. */
function startChild(command, args, options) {
  let child = null;
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      // A terminal sends SIGINT to the child too. A second SIGINT would mean "stop immediately".
      if (signal === 'SIGINT' && process.stdin.isTTY) return;
      if (child !== null) child.kill(signal);
    });
  }
  child = spawn(command, args, options);
  return child;
}

/** Exits with the child's exit code. A signal becomes 128 plus its number, as in a shell. */
function endLike(code, signal) {
  process.exit(code !== null ? code : 128 + (constants.signals[signal] || 0));
}

function tell(line) {
  process.stderr.write(`${line}\n`);
}

function fail(message) {
  tell(message);
  process.exit(1);
}
