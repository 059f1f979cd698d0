import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { Script } from '../../support/stand-in/script.ts';
import { type StandIn, startStandIn } from '../../support/stand-in/start-stand-in.ts';

let standIn: StandIn;

beforeAll(async () => {
  standIn = await startStandIn();
});
afterAll(() => standIn.close());

function ask(script: Script, signal?: AbortSignal): Promise<Response> {
  const content = JSON.stringify({ standIn: script });
  return fetch(`${standIn.url}/chat/completions`, {
    method: 'POST',
    headers: { authorization: 'Bearer sk-test' },
    body: JSON.stringify({ model: 'gpt-4o', stream: true, messages: [{ role: 'user', content }] }),
    ...(signal && { signal }),
  });
}

const lastCall = async () => (await standIn.calls()).at(-1);

it('writes bytes unchanged, as often as the script says', async () => {
  const base64 = Buffer.from([0xff, 0x00]).toString('base64');
  const response = await ask({ status: 200, bytes: { pieces: [{ text: 'ab', times: 70_000 }, { base64 }] } });
  const bytes = Buffer.from(await response.arrayBuffer());
  expect(bytes).toEqual(Buffer.concat([Buffer.from('ab'.repeat(70_000)), Buffer.from([0xff, 0x00])]));
  expect(await lastCall()).toMatchObject({ status: 200, outcome: 'completed', completionTokens: 1 });
});

it('sends status and headers of the script', async () => {
  const response = await ask({
    status: 418,
    headers: { 'content-type': 'text/odd' },
    bytes: { pieces: [{ text: 'no' }] },
  });
  expect([response.status, response.headers.get('content-type'), await response.text()]).toEqual([
    418,
    'text/odd',
    'no',
  ]);
  expect(await lastCall()).toMatchObject({ status: 418, outcome: 'error', completionTokens: 0 });
});

it('continues until the client disconnects', async () => {
  const stop = new AbortController();
  const response = await ask(
    { bytes: { pieces: [{ text: 'x'.repeat(100), times: 1_000_000_000 }] } },
    stop.signal,
  );
  await response.body?.getReader().read();
  stop.abort();
  await vi.waitFor(async () => expect((await lastCall())?.outcome).toBe('client_closed'));
});

it('breaks the connection', async () => {
  const response = await ask({ bytes: { pieces: [{ text: 'x' }], ending: 'cut' } });
  await expect(response.text()).rejects.toBeInstanceOf(Error);
  expect(await lastCall()).toMatchObject({ outcome: 'cut' });
});
