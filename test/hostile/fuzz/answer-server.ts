import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import type { RandomAnswer } from '../generate/random-answer.ts';

/** A provider that sends the given pieces, each in its own turn of the event loop. */
export async function startAnswerServer(answerTo: (clientRequestId: string) => RandomAnswer) {
  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    request.resume();
    const answer = answerTo(String(request.headers['x-client-request-id'] ?? ''));
    request.once('end', () => void send(answer, response).catch(() => response.destroy()));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/v1`,
    close: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function send(
  { status, headers, pieces, isCut }: RandomAnswer,
  response: ServerResponse,
): Promise<void> {
  response.on('error', () => undefined);
  response.writeHead(status, headers);
  response.flushHeaders();
  for (const [index, piece] of pieces.entries()) {
    if (response.destroyed) return;
    if (index > 0) await turn();
    if (piece.length > 0) response.write(piece);
  }
  if (!isCut) response.end();
  // Behind what was written: the system has taken it then.
  else response.socket?.write('', () => response.destroy());
}
