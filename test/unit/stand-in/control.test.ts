import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Script } from '../../support/stand-in/script.ts';
import { type StandIn, startStandIn } from '../../support/stand-in/start-stand-in.ts';

let standIn: StandIn;

beforeAll(async () => {
  standIn = await startStandIn({ defaultScript: { text: 'first default' }, maxCalls: 10 });
});
beforeEach(() => standIn.reset());
afterAll(() => standIn.close());

async function ask(
  content: string,
  clientRequestId?: string,
): Promise<{ status: number; text: string; headers: Headers }> {
  const response = await fetch(`${standIn.url}/chat/completions`, {
    method: 'POST',
    headers: {
      authorization: 'Bearer sk-test',
      ...(clientRequestId !== undefined && { 'x-client-request-id': clientRequestId }),
    },
    body: JSON.stringify({
      model: 'gpt-4o',
      max_completion_tokens: 5,
      messages: [{ role: 'user', content }],
    }),
  });
  const body = (await response.json()) as { choices?: { message: { content: string } }[] };
  return {
    status: response.status,
    text: body.choices?.[0]?.message.content ?? '',
    headers: response.headers,
  };
}

const scripted = (script: Script[]) => JSON.stringify({ standIn: script });

describe('lists of scripts', () => {
  it('give each call of a request its own script, and the last one to all later calls', async () => {
    const content = scripted([{ status: 503 }, { text: 'second' }]);
    const statuses: number[] = [];
    for (const id of ['a/r1/1', 'a/r2/1', 'a/r1/2', 'a/r1/3']) statuses.push((await ask(content, id)).status);
    expect(statuses).toEqual([503, 503, 200, 200]);
  });

  it('identify a request without an id by its text', async () => {
    const content = scripted([{ status: 500 }, { text: 'again' }]);
    expect((await ask(content)).status).toBe(500);
    expect((await ask(content)).text).toBe('again');
    expect((await ask(`${content} other`)).status).toBe(500);
  });
});

describe('the default script', () => {
  it('answers requests without their own script, can be changed, and is restored on reset', async () => {
    expect((await ask('hello')).text).toBe('first default');
    await standIn.setDefault([{ text: 'one' }, { text: 'two' }]);
    expect([
      (await ask('x', 'r/1')).text,
      (await ask('x', 'r/2')).text,
      (await ask('y', 's/1')).text,
    ]).toEqual(['one', 'two', 'one']);
    await standIn.setDefault(null);
    expect((await ask('hello')).text.split(' ')).toHaveLength(5);
    await standIn.reset();
    expect((await ask('hello')).text).toBe('first default');
  });

  it('is refused when it is invalid, with the field named', async () => {
    await expect(standIn.setDefault({ gapMs: -1 })).rejects.toThrow(/gapMs/);
  });
});

describe('accounting', () => {
  it('reports each call with its request id and attempt', async () => {
    await ask('hello', 'tenant/r1/2');
    expect(await standIn.calls()).toMatchObject([
      {
        clientRequestId: 'tenant/r1/2',
        requestId: 'tenant/r1',
        attempt: 2,
        model: 'gpt-4o',
        outcome: 'completed',
      },
    ]);
  });

  it('continues counting when old calls are dropped, and forgets all on reset', async () => {
    for (let call = 0; call < 25; call += 1) await ask('hello');
    expect((await standIn.calls()).length).toBeLessThanOrEqual(20);
    expect(await standIn.summary()).toEqual({ calls: 25, byOutcome: { completed: 25 }, open: 0, maxOpen: 1 });
    await standIn.reset();
    expect(await standIn.summary()).toEqual({ calls: 0, byOutcome: {}, open: 0, maxOpen: 0 });
    expect(await standIn.calls()).toEqual([]);
  });
});

describe('limits', () => {
  it('are enforced, reported in headers, and lifted again', async () => {
    await standIn.setLimits({ requests: 2, tokens: 1000, windowMs: 3_600_000 });
    const first = await ask('hello');
    expect(first.headers.get('x-ratelimit-limit-requests')).toBe('2');
    expect(first.headers.get('x-ratelimit-remaining-requests')).toBe('1');
    expect(first.headers.get('x-ratelimit-reset-requests')).toMatch(/^\d+m[\d.]+s$/);
    expect((await ask('hello')).status).toBe(200);
    const refused = await ask('hello');
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after-ms'))).toBeGreaterThan(1_700_000);
    await standIn.setLimits(null);
    const lifted = await ask('hello');
    expect([lifted.status, lifted.headers.get('x-ratelimit-limit-requests')]).toEqual([200, null]);
  });
});

describe('the process', () => {
  it('reports why it does not start', async () => {
    const main = fileURLToPath(new URL('../../support/stand-in/main.ts', import.meta.url));
    const child = spawn(process.execPath, [main, '--default', '{"tokens":"many"}'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const messages = child.stderr.toArray();
    const [code] = await once(child, 'close');
    expect(code).toBe(1);
    expect(String(await messages)).toContain('tokens');
  });

  it('ends when its parent does', async () => {
    const main = fileURLToPath(new URL('../../support/stand-in/main.ts', import.meta.url));
    const child = spawn(process.execPath, [main, '--exit-with-parent'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    child.stdin.end();
    expect(await once(child, 'exit')).toEqual([0, null]);
  });

  it('has ended after close, which may be called twice', async () => {
    const other = await startStandIn();
    await other.close();
    await other.close();
    await expect(other.calls()).rejects.toThrow('fetch failed');
  });
});
