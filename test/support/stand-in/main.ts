import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import { createStandInServer } from './server.ts';

/** Enough for ten thousand clients that connect in the same moment; the system may cap it. */
const BACKLOG = 16_384;

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    host: { type: 'string', default: '127.0.0.1' },
    default: { type: 'string' },
    'max-calls': { type: 'string' },
    'exit-with-parent': { type: 'boolean', default: false },
  },
});

const server = createStandInServer({
  ...(values.default !== undefined && { defaultScript: JSON.parse(values.default) as unknown }),
  ...(values['max-calls'] !== undefined && { maxCalls: Number(values['max-calls']) }),
});

server.listen({ port: Number(values.port), host: values.host, backlog: BACKLOG }, () => {
  const { port } = server.address() as AddressInfo;
  process.stdout.write(`${JSON.stringify({ url: `http://${values.host}:${port}/v1` })}\n`);
});

process.once('SIGTERM', () => process.exit(0));
process.once('SIGINT', () => process.exit(0));
if (values['exit-with-parent']) process.stdin.resume().once('end', () => process.exit(0));
