import { afterEach, describe, expect, it } from 'vitest';
import {
  type Check,
  type HealthServer,
  startHealthServer,
} from '../../../src/adapters/http/health-server.ts';

let server: HealthServer | undefined;

afterEach(async () => {
  await server?.close();
  server = undefined;
});

async function serve(checks: { live?: () => Check[]; ready?: () => Check[] } = {}) {
  server = await startHealthServer({
    port: 0,
    host: '127.0.0.1',
    checks: { live: checks.live ?? (() => []), ready: checks.ready ?? (() => []) },
    metricsHandler: (_request, response) => response.end('requests_total 7\n'),
  });
  const base = `http://127.0.0.1:${server.port}`;
  return (path: string, init?: RequestInit) => fetch(`${base}${path}`, init);
}

describe('the health server', () => {
  it('answers 200 with every check while all succeed', async () => {
    const get = await serve({ ready: () => [{ name: 'kafka', ok: true, why: 'fetched 12 ms ago' }] });
    const response = await get('/readyz?verbose');
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(await response.json()).toEqual({
      ok: true,
      checks: [{ name: 'kafka', ok: true, why: 'fetched 12 ms ago' }],
    });
  });

  it('answers 503 with the failing check and its reason', async () => {
    const checks = [
      { name: 'kafka', ok: true },
      { name: 'mongodb', ok: false, why: 'no primary' },
    ];
    const get = await serve({ ready: () => checks });
    const response = await get('/readyz');
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({ ok: false, checks });
  });

  it('runs the checks on every request', async () => {
    let ok = false;
    const get = await serve({ ready: () => [{ name: 'lanes', ok }] });
    expect((await get('/readyz')).status).toBe(503);
    ok = true;
    expect((await get('/readyz')).status).toBe(200);
  });

  it('separates liveness from readiness', async () => {
    const get = await serve({
      live: () => [{ name: 'consumer', ok: true }],
      ready: () => [{ name: 'mongodb', ok: false }],
    });
    expect((await get('/livez')).status).toBe(200);
    expect((await get('/readyz')).status).toBe(503);
  });

  it.each([new Error('broken'), 'broken'])('reports a check that throws as failed', async (thrown) => {
    const get = await serve({
      live: () => {
        throw thrown;
      },
    });
    const response = await get('/livez');
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({
      ok: false,
      checks: [{ name: 'checks', ok: false, why: 'broken' }],
    });
  });

  it('leaves /metrics to its handler', async () => {
    const get = await serve();
    expect(await (await get('/metrics')).text()).toBe('requests_total 7\n');
  });

  it('names the three paths for any other path', async () => {
    const get = await serve();
    const response = await get('/');
    expect(response.status).toBe(404);
    expect(await response.text()).toMatch(/\/livez, \/readyz or \/metrics/);
  });

  it('refuses write methods', async () => {
    const get = await serve();
    const response = await get('/readyz', { method: 'POST' });
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe('GET, HEAD');
  });

  it('rejects when its port is taken, and when it is closed twice', async () => {
    await serve();
    const taken = server as HealthServer;
    server = undefined;
    const options = {
      host: '127.0.0.1',
      checks: { live: () => [], ready: () => [] },
      metricsHandler: () => undefined,
    };
    await expect(startHealthServer({ ...options, port: taken.port })).rejects.toThrow(/EADDRINUSE/);
    await taken.close();
    await expect(taken.close()).rejects.toThrow(/not running/);
  });
});
