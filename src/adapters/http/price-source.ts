import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { Agent, request } from 'undici';
import type { ReadPriceSource } from '../../catalog/prices/import-price-source.ts';

const TIMEOUT_MS = 60_000;
const MAX_BYTES = 33_554_432;

/** A price source that cannot be had. What is there stays. */
export class PriceSourceFailed extends Error {
  override readonly name = 'PriceSourceFailed';

  /** @param location never with credentials */
  constructor(location: string, why: string, cause?: unknown) {
    super(`PRICE_SOURCE ${location} ${why}; prices stay unchanged`, { cause });
  }
}

export interface PriceSourceLimits {
  readonly timeoutMs?: number;
  readonly maxBytes?: number;
}

/**
 * Reads prices from a file or from an http(s) URL, whole, within limits of time and size. Redirects are not followed: they
 * would lead to a source that nobody has chosen.
 *
 * @param source as configured: `https://…`, `http://` of this machine, or a path
 */
export function createPriceSource(
  source: string,
  { timeoutMs = TIMEOUT_MS, maxBytes = MAX_BYTES }: PriceSourceLimits = {},
): ReadPriceSource {
  const isUrl = /^https?:\/\//i.test(source);
  const name = isUrl ? withoutCredentials(source) : source;
  return async (signal) => {
    const timeout = AbortSignal.timeout(timeoutMs);
    const limit = AbortSignal.any([signal, timeout]);
    const agent = new Agent({ connections: 1 });
    try {
      const body = isUrl
        ? await open(source, name, agent, limit)
        : createReadStream(source, { signal: limit });
      return { name, text: await readWhole(body, name, maxBytes) };
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof PriceSourceFailed) throw error;
      if (timeout.aborted) throw new PriceSourceFailed(name, `did not arrive within ${timeoutMs} ms`);
      throw new PriceSourceFailed(name, `cannot be read (${codeOf(error)})`);
    } finally {
      await agent.destroy();
    }
  };
}

async function open(url: string, name: string, dispatcher: Agent, signal: AbortSignal): Promise<Readable> {
  const { username, password } = new URL(url);
  const login = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  const { statusCode, body } = await request(url, {
    dispatcher,
    signal,
    headers: {
      accept: 'application/json',
      ...(username !== '' && { authorization: `Basic ${Buffer.from(login).toString('base64')}` }),
    },
  });
  if (statusCode === 200) return body;
  const hint =
    statusCode >= 300 && statusCode < 400 ? ': redirects are not followed, configure the final URL' : '';
  throw new PriceSourceFailed(name, `answers with status ${statusCode}${hint}`);
}

async function readWhole(body: Readable, name: string, maxBytes: number): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of body as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > maxBytes) throw new PriceSourceFailed(name, `is larger than ${maxBytes} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}

/** The part of a URL that may be shown: without the password and the query, which may hold secrets. */
function withoutCredentials(url: string): string {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname}`;
}

function codeOf(error: unknown): string {
  const { code, name } = error as { code?: unknown; name?: unknown };
  return String(code ?? name);
}
