import { once } from 'node:events';
import { Writable } from 'node:stream';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  CheckerProcess,
  type ProcessListener,
  type RunningProcess,
} from '../../../src/adapters/json-schema/checker-process.ts';
import type {
  BatchResult,
  ItemToRun,
  JobToRun,
} from '../../../src/adapters/json-schema/engine/checker-protocol.ts';
import {
  IsolatedSchemaChecker,
  type SchemaCheckerOptions,
} from '../../../src/adapters/json-schema/schema-checker.ts';
import type { SchemaAsker, ValueToCheck } from '../../../src/ports/schemas.ts';
import { createLogger } from '../../../src/runtime/logger.ts';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
  vi.useRealTimers();
});

/** A fake process that the test controls. */
class FakeProcess implements RunningProcess {
  isReady = false;
  readonly pid = null;
  readonly batches: (readonly JobToRun[])[] = [];
  isEnded = false;
  readonly #listener: ProcessListener;

  constructor(listener: ProcessListener) {
    this.#listener = listener;
  }

  ready(): void {
    this.isReady = true;
    this.#listener.onReady();
  }

  run(jobs: readonly JobToRun[]): void {
    this.batches.push(jobs);
  }

  end(): void {
    this.isEnded = true;
  }

  die(reason = 'SIGSEGV'): void {
    this.#listener.onDied(reason);
  }

  /** Completes the last batch, or its first jobs, without any problem. */
  done(count = Number.POSITIVE_INFINITY, slowMs = 0): void {
    const jobs = this.batches.at(-1)?.slice(0, count) ?? [];
    const result = ({ value }: ItemToRun) => ({
      verdict: { kind: 'usable' } as const,
      check: value === null ? null : ({ kind: 'checked', problems: [] } as const),
      overran: false,
    });
    this.answer(jobs.map(({ items }) => ({ results: items.map(result), ranMs: 1 + slowMs, slowMs })));
  }

  answer(jobs: BatchResult): void {
    this.#listener.onDone(jobs);
  }

  /** The texts of the last batch's values, job by job. */
  get given(): (string | undefined)[][] {
    return this.batches.at(-1)?.map(({ items }) => items.map(({ value }) => value?.text)) ?? [];
  }
}

/** A checker with fake processes, and its log lines. */
function faked(options: Partial<SchemaCheckerOptions> = {}) {
  const processes: FakeProcess[] = [];
  const lines: Record<string, unknown>[] = [];
  const destination = new Writable({
    write(chunk, _encoding, done) {
      lines.push(JSON.parse(String(chunk)));
      done();
    },
  });
  const lost: string[] = [];
  const checker = new IsolatedSchemaChecker({
    logger: createLogger({ level: 'info', destination }),
    onProcessLost: (reason) => lost.push(reason),
    startProcess: (listener) => {
      const started = new FakeProcess(listener);
      processes.push(started);
      return started;
    },
    ...options,
  });
  closers.push(() => checker.close());
  checker.start();
  const first = processes[0] as FakeProcess;
  return { checker, processes, first, lines, lost };
}

function asker(tenantId: string, members: Partial<SchemaAsker> = {}): SchemaAsker {
  return { tenantId, requestId: `request of ${tenantId}`, signal: new AbortController().signal, ...members };
}

function value(text: string, schemaJson: string | null = '{"type":"object"}'): ValueToCheck {
  return { text, root: 'arguments', schemaJson, isObject: true };
}

describe('with a separate process', () => {
  it('schemas are compiled and values are checked', async () => {
    const checker = new IsolatedSchemaChecker({ logger: createLogger({ level: 'silent' }) });
    closers.push(() => checker.close());
    const verdicts = await checker.verdicts(['{"type":"object"}', '{"type":"strin"}', '{'], asker('a'));
    expect(verdicts.map(({ kind }) => kind)).toEqual(['usable', 'invalid', 'invalid']);
    const results = await checker.check(
      [value('{}'), value('[]'), value('{'), value('{}', null), value('7', null)],
      asker('a'),
    );
    expect(results).toMatchObject([
      { kind: 'checked', problems: [] },
      { kind: 'checked', problems: [{ path: 'arguments', code: 'wrong_type' }] },
      { kind: 'unparsable' },
      { kind: 'checked', problems: [] },
      { kind: 'checked', problems: [{ code: 'wrong_type' }] },
    ]);
  });

  it('text arrives unchanged, with any characters', async () => {
    const checker = new IsolatedSchemaChecker({ logger: createLogger({ level: 'silent' }) });
    closers.push(() => checker.close());
    const text = JSON.stringify({ name: '\u0000 é 😀 \u2028', '\ud800': 1 });
    const schema = JSON.stringify({ const: JSON.parse(text) });
    expect(await checker.check([value(text, schema)], asker('a'))).toEqual([
      { kind: 'checked', problems: [] },
    ]);
    const raw = '{"a":"\ud800"}';
    const maxLength = '{"properties":{"a":{"maxLength":1}}}';
    expect(await checker.check([value(raw, maxLength)], asker('a'))).toEqual([
      { kind: 'checked', problems: [] },
    ]);
  });

  it('the death of the process is handled', async () => {
    const started: CheckerProcess[] = [];
    const lost: string[] = [];
    const checker = new IsolatedSchemaChecker({
      logger: createLogger({ level: 'silent' }),
      onProcessLost: (reason) => lost.push(reason),
      startProcess: (listener) => {
        const one = new CheckerProcess(listener);
        started.push(one);
        return one;
      },
    });
    closers.push(() => checker.close());
    await checker.check([value('{}')], asker('a'));
    const checks = [1, 2, 3].map((n) => checker.check([value(`{"n":${n}}`)], asker(`tenant-${n}`)));
    process.kill(started[0]?.pid as number, 'SIGKILL');
    // The first item was alone in the process, so it may have ended the process.
    const [, ...others] = await Promise.all(checks);
    for (const results of others) expect(results).toMatchObject([{ kind: 'checked' }]);
    // The checks may have completed before it died.
    await vi.waitFor(() => expect(lost).toEqual(['SIGKILL']));
    expect(await checker.check([value('{}')], asker('a'))).toMatchObject([{ kind: 'checked' }]);
  });
});

describe('the same text', () => {
  it('is checked once, and sent once', async () => {
    const { checker, first } = faked();
    first.ready();
    const text = '{"title":"once"}';
    const verdicts = checker.verdicts([text, text], asker('a'));
    expect(first.batches).toMatchObject([[{ items: [{ schemaJson: text, value: null }] }]]);
    first.done();
    expect(await verdicts).toEqual([{ kind: 'usable' }, { kind: 'usable' }]);
    expect(await checker.verdicts([text], asker('b'))).toEqual([{ kind: 'usable' }]);
    const checks = checker.check([value('{}', text)], asker('a'));
    expect(first.batches.at(-1)).toMatchObject([{ items: [{ schemaJson: null, value: { text: '{}' } }] }]);
    first.done();
    await checks;
    expect(first.batches).toHaveLength(2);
  });

  it('is sent again to a process that no longer knows it', async () => {
    const { checker, first } = faked();
    first.ready();
    const one = checker.check([value('1')], asker('a'));
    first.done();
    await one;
    const two = checker.check([value('2')], asker('a'));
    first.answer([{ results: [{ verdict: null, check: null, overran: false }], ranMs: 0, slowMs: 0 }]);
    expect(first.batches.at(-1)).toMatchObject([{ items: [{ schemaJson: '{"type":"object"}' }] }]);
    first.done();
    expect(await two).toMatchObject([{ kind: 'checked' }]);
  });
});

describe('nothing waits forever', () => {
  it('a request is sent when its schemas are not compiled in time', async () => {
    vi.useFakeTimers();
    const { checker, first } = faked();
    first.ready();
    const verdicts = checker.verdicts(['{"title":"slow"}'], asker('a'));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await verdicts).toEqual([{ kind: 'unchecked', reason: 'the schema was not checked in time' }]);
  });

  it('an answer is published without its checks', async () => {
    vi.useFakeTimers();
    const { checker } = faked();
    const checks = checker.check([value('{}'), value('{}')], asker('a'));
    await vi.advanceTimersByTimeAsync(5_000);
    const notChecked = { kind: 'not_checked', reason: 'it was not checked in time' };
    expect(await checks).toEqual([notChecked, notChecked]);
  });

  it('a wait ends with the signal', async () => {
    const { checker, first } = faked();
    const stop = new AbortController();
    const reason = new Error('stop');
    const waiting = checker.check([value('{}')], asker('a', { signal: stop.signal }));
    stop.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    await expect(checker.verdicts(['{}'], asker('a', { signal: stop.signal }))).rejects.toBe(reason);
    first.ready();
    expect(first.batches).toEqual([]);
  });

  it('closing ends running and waiting checks', async () => {
    const { checker, first } = faked();
    first.ready();
    const running = checker.check([value('1')], asker('a'));
    const waiting = checker.check([value('2')], asker('a'));
    const verdicts = checker.verdicts(['{"title":"new"}'], asker('b'));
    checker.close();
    const notChecked = [{ kind: 'not_checked', reason: 'the worker stops' }];
    expect(await running).toEqual(notChecked);
    expect(await waiting).toEqual(notChecked);
    expect(await verdicts).toMatchObject([{ kind: 'unchecked' }]);
    expect(await checker.check([value('3')], asker('a'))).toEqual(notChecked);
    expect(first.isEnded).toBe(true);
  });

  it('a too large text is not sent to the process', async () => {
    const { checker, first } = faked();
    first.ready();
    const large = JSON.stringify({ description: 'x'.repeat(70_000) });
    expect(await checker.verdicts([large], asker('a'))).toMatchObject([{ kind: 'unchecked' }]);
    expect(
      await checker.check([value('{}', large), value(`{"a":"${'x'.repeat(1_050_000)}"}`)], asker('a')),
    ).toMatchObject([
      { kind: 'not_checked', reason: expect.stringMatching(/^the schema has 700\d\d characters/) },
      { kind: 'not_checked', reason: expect.stringMatching(/^it has 10500\d\d characters/) },
    ]);
    expect(first.batches).toEqual([]);
  });
});

describe('tenants take turns', () => {
  it('checks that a batch had no time for wait with the others', async () => {
    const { checker, first } = faked();
    first.ready();
    const ask = (tenantId: string, text: string) => checker.check([value(text)], asker(tenantId));
    const checks = [ask('hostile', 'h0')];
    for (const text of ['h1', 'h2', 'h3', 'h4']) checks.push(ask('hostile', text));
    checks.push(ask('other', 'o1'));
    expect(first.given).toEqual([['h0']]);
    // A slow check: from now on one at a time, and then the other tenant.
    first.done(1, 300);
    expect(first.given).toEqual([['h1']]);
    checks.push(ask('third', 't1'));
    first.done(1, 300);
    expect(first.given).toEqual([['o1']]);
    first.done();
    const order: unknown[] = [];
    for (let turn = 0; turn < 4; turn += 1) {
      order.push(...first.given.flat());
      first.done(1, 0);
    }
    expect(order.slice(0, 2)).toContain('t1');
    for (const results of await Promise.all(checks)) expect(results).toMatchObject([{ kind: 'checked' }]);
  });

  it('a tenant whose checks take all the time is not checked for a while', async () => {
    vi.useFakeTimers();
    const { checker, first } = faked();
    first.ready();
    for (let time = 0; time < 4; time += 1) {
      const checks = checker.check([value('{}', `{"title":"${time}"}`)], asker('hostile'));
      first.done(1, 300);
      await checks;
    }
    const reason = "this tenant's schemas took too much time lately";
    expect(await checker.check([value('{}')], asker('hostile'))).toEqual([{ kind: 'not_checked', reason }]);
    const other = checker.check([value('{}')], asker('other'));
    first.done();
    expect(await other).toMatchObject([{ kind: 'checked' }]);
    await vi.advanceTimersByTimeAsync(10_000);
    const later = checker.check([value('{}')], asker('hostile'));
    first.done();
    expect(await later).toMatchObject([{ kind: 'checked' }]);
  });

  it('a tenant has a limit of waiting checks', async () => {
    const { checker } = faked();
    const many = Array.from({ length: 2_049 }, () => checker.check([value('{}')], asker('hostile')));
    const reason = "too many of this tenant's checks are waiting";
    expect(await many.at(-1)).toEqual([{ kind: 'not_checked', reason }]);
    checker.close();
    await Promise.all(many);
  });

  it('an answer whose checks together take too long is left unchecked', async () => {
    const { checker, first } = faked();
    first.ready();
    const checks = checker.check([value('1'), value('2'), value('3')], asker('a'));
    const result = {
      verdict: { kind: 'usable' },
      check: { kind: 'checked', problems: [] },
      overran: false,
    } as const;
    first.answer([{ results: [result], ranMs: 260, slowMs: 0 }]);
    expect((await checks).map(({ kind }) => kind)).toEqual(['checked', 'not_checked', 'not_checked']);
  });

  it('a schema whose checks take too long is not tried a fourth time for that tenant', async () => {
    const { checker, first } = faked();
    first.ready();
    const check = { kind: 'not_checked', reason: 'the check takes too long' } as const;
    for (let time = 0; time < 3; time += 1) {
      const checks = checker.check([value('{}')], asker('a'));
      first.answer([
        { results: [{ verdict: { kind: 'usable' }, check, overran: true }], ranMs: 9, slowMs: 0 },
      ]);
      await checks;
    }
    const reason = 'checks with this schema take too long';
    expect(await checker.check([value('{}')], asker('a'))).toEqual([{ kind: 'not_checked', reason }]);
    const other = checker.check([value('{}')], asker('b'));
    first.done();
    expect(await other).toMatchObject([{ kind: 'checked' }]);
  });
});

describe('a process that ends', () => {
  it('fails only the item that ends it again', async () => {
    const { checker, processes, first, lost, lines } = faked();
    const checks = ['bad', 'good', 'fine'].map((text) =>
      checker.check([value(text, `{"title":"${text}"}`)], asker(`tenant ${text}`)),
    );
    first.ready();
    expect(first.given).toHaveLength(3);
    first.die();
    const second = processes.find((one) => one !== first && !one.isEnded) as FakeProcess;
    expect(second).toBeDefined();
    await vi.waitFor(() => expect(processes.length).toBeGreaterThan(2));
    const [spare, current] = [processes[1], processes[2]] as [FakeProcess, FakeProcess];
    spare.ready();
    current.ready();
    const at = (process: FakeProcess) => process.batches.length > 0;
    const working = [spare, current].find(at) as FakeProcess;
    expect(working.given).toEqual([['bad']]);
    working.die('SIGABRT');
    const rest = [spare, current].find((one) => one !== working) as FakeProcess;
    expect(rest.given).toEqual([['good']]);
    rest.done();
    expect(rest.given).toEqual([['fine']]);
    rest.done();
    expect((await Promise.all(checks)).map(([result]) => result?.kind)).toEqual([
      'not_checked',
      'checked',
      'checked',
    ]);
    expect(lost).toEqual(['SIGSEGV', 'SIGABRT']);
    // The second within a minute is only counted.
    expect(lines).toMatchObject([
      { level: 'warn', reason: 'SIGSEGV', tenantId: 'tenant bad', requestId: 'request of tenant bad' },
    ]);
    // The schema could not be compiled: it is never tried again.
    expect(await checker.verdicts(['{"title":"bad"}'], asker('c'))).toMatchObject([{ kind: 'unchecked' }]);
  });

  it('is ended when it takes longer than the hard limit, with a spare started before', async () => {
    vi.useFakeTimers();
    const { checker, processes, first, lost } = faked();
    first.ready();
    const checks = checker.check([value('{}', '{"title":"hang"}')], asker('a'));
    await vi.advanceTimersByTimeAsync(500);
    expect(processes).toHaveLength(2);
    processes[1]?.ready();
    const other = checker.check([value('{}')], asker('b'));
    await vi.advanceTimersByTimeAsync(2_000);
    expect(first.isEnded).toBe(true);
    expect(lost).toEqual(['time limit']);
    expect(await checks).toEqual([{ kind: 'not_checked', reason: 'the check was aborted' }]);
    processes[1]?.done();
    expect(await other).toMatchObject([{ kind: 'checked' }]);
    expect(processes).toHaveLength(3);
  });

  it('before it starts is restarted with growing pauses, while nothing waits forever', async () => {
    vi.useFakeTimers();
    const { checker, processes, first } = faked();
    const checks = checker.check([value('{}')], asker('a'));
    first.die('ENOMEM');
    await vi.advanceTimersByTimeAsync(200);
    expect(processes).toHaveLength(2);
    processes[1]?.die('ENOMEM');
    const reason = 'the checker process does not start';
    expect(await checker.check([value('{}')], asker('a'))).toEqual([{ kind: 'not_checked', reason }]);
    await vi.advanceTimersByTimeAsync(399);
    expect(processes).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(1);
    expect(processes).toHaveLength(3);
    processes[2]?.ready();
    processes[2]?.done();
    expect(await checks).toMatchObject([{ kind: 'checked' }]);
  });

  it('neither ends the service nor outlives it', async () => {
    const { spawn } = await import('node:child_process');
    const script = new URL('./hostile-child.ts', import.meta.url).pathname;
    const child = spawn(process.execPath, [script, 'die'], { stdio: ['ignore', 'pipe', 'inherit'] });
    child.stdout.setEncoding('utf8');
    let output = '';
    child.stdout.on('data', (text: string) => {
      output += text;
    });
    await once(child, 'close');
    const pid = Number(output);
    expect(pid).toBeGreaterThan(0);
    await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow(), { timeout: 10_000 });
  });
});
