/**
 * Checks hostile answers against hostile schemas, and prints the results: a separate process, because they have ended
 * it. With `die`, it ends in the middle of a check and prints the id of the checking process.
 */
import { CheckerProcess } from '../../../src/adapters/json-schema/checker-process.ts';
import { IsolatedSchemaChecker } from '../../../src/adapters/json-schema/schema-checker.ts';
import { createLogger } from '../../../src/runtime/logger.ts';
import { HOSTILE, type HostileCase } from './hostile-cases.ts';

let pid: number | null = null;
const lost: string[] = [];
const checker = new IsolatedSchemaChecker({
  logger: createLogger({ level: 'silent' }),
  onProcessLost: (reason) => lost.push(reason),
  startProcess: (listener) => {
    const started = new CheckerProcess(listener);
    pid = started.pid;
    return started;
  },
});
const { signal } = new AbortController();

function check(name: string, { schema, text }: HostileCase) {
  const schemaJson = typeof schema === 'string' ? schema : JSON.stringify(schema);
  const asker = { tenantId: name, requestId: name, signal };
  return checker.check([{ text, root: 'arguments', schemaJson, isObject: true }], asker);
}

await checker.check([{ text: '{}', root: 'arguments', schemaJson: '{}', isObject: true }], {
  tenantId: 'first',
  requestId: 'first',
  signal,
});
if (process.argv[2] === 'die') {
  void check('alternatives that multiply', HOSTILE['alternatives that multiply'] as HostileCase);
  process.stdout.write(String(pid));
  process.kill(process.pid, 'SIGKILL');
}
const results: Record<string, unknown> = {};
for (const [name, hostile] of Object.entries(HOSTILE)) {
  const [result] = await check(name, hostile);
  results[name] = result?.kind === 'checked' ? result.problems.length : result?.kind;
}
const [after] = await check('after', { schema: { type: 'object' }, text: '{}' });
checker.close();
process.stdout.write(JSON.stringify({ results, lost, after }));
