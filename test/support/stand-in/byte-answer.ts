import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { z } from 'zod';
import type { Call, CallLog } from './call-log.ts';

/** An answer as bytes, for what no provider should send: described in little, sent in any length. */
export const byteAnswerSchema = z.strictObject({
  pieces: z.array(
    z.strictObject({
      /** UTF-8 text, or bytes in base64. */
      text: z.string().optional(),
      base64: z.string().optional(),
      times: z.number().int().nonnegative().optional(),
      /** Between two of them. */
      gapMs: z.number().nonnegative().optional(),
    }),
  ),
  /** What follows: the end of the body, a broken connection, or silence until the client leaves. */
  ending: z.enum(['end', 'cut', 'stall']).optional(),
});

export type ByteAnswer = z.infer<typeof byteAnswerSchema>;

/** More than any reader takes: an endless answer ends here. */
const MOST_BYTES = 512 * 1024 * 1024;
/** Small pieces are written together, so that a long answer is not a million writes. */
const WRITE_BYTES = 64 * 1024;

/** Writes the answer as fast as the client reads it. The call counts as charged as soon as a body has begun. */
export async function answerBytes(
  answer: ByteAnswer,
  parts: {
    readonly call: Call;
    readonly log: CallLog;
    readonly response: ServerResponse;
    readonly status: number;
    readonly headers: Record<string, string>;
  },
): Promise<void> {
  const { call, log, response, status, headers } = parts;
  const { pieces, ending = 'end' } = answer;
  call.status = status;
  response.writeHead(status, { 'content-type': 'text/event-stream; charset=utf-8', ...headers });
  response.flushHeaders();
  if (status === 200) call.completionTokens = 1;
  let left = MOST_BYTES;
  for (const { text, base64, times = 1, gapMs = 0 } of pieces) {
    const piece = Buffer.from(text ?? base64 ?? '', text === undefined ? 'base64' : 'utf8');
    const perWrite = gapMs > 0 ? 1 : Math.max(1, Math.floor(WRITE_BYTES / Math.max(1, piece.length)));
    const together =
      perWrite === 1 ? piece : Buffer.concat(Array<Buffer>(Math.min(perWrite, times)).fill(piece));
    for (let done = 0; done < times && left > 0; done += perWrite) {
      const bytes = together.subarray(0, Math.min(perWrite, times - done) * piece.length);
      left -= bytes.length;
      if (!(await write(response, bytes))) return;
      if (gapMs > 0 && done + 1 < times) await wait(gapMs);
    }
  }
  if (ending === 'stall') {
    call.outcome = 'stalled';
    return;
  }
  log.end(call, ending === 'cut' ? 'cut' : status === 200 ? 'completed' : 'error');
  if (ending === 'cut') response.destroy();
  else response.end();
}

/** @returns false when the client has left */
async function write(response: ServerResponse, bytes: Buffer): Promise<boolean> {
  if (response.destroyed || response.writableEnded) return false;
  if (response.write(bytes)) return true;
  const gone = new AbortController();
  const signal = gone.signal;
  try {
    await Promise.race([once(response, 'drain', { signal }), once(response, 'close', { signal })]);
  } finally {
    gone.abort();
  }
  return !response.destroyed;
}
