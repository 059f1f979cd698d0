import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BrokersUnreachable, reachBroker } from '../../../src/adapters/kafka/reach-broker.ts';

let broker: Server;
let address: string;

beforeAll(async () => {
  broker = createServer((socket) => socket.on('error', () => undefined)).listen(0, '127.0.0.1');
  await once(broker, 'listening');
  address = `127.0.0.1:${(broker.address() as AddressInfo).port}`;
});
afterAll(() => {
  broker.close();
});

describe('reachBroker', () => {
  it('is content with one broker that accepts connections', async () => {
    await reachBroker({ brokers: [address] });
    await reachBroker({ brokers: ['127.0.0.1:1', 'no-such-host.invalid:9092', address] });
  });

  it('names every broker with the reason, and the setting', async () => {
    const brokers = ['127.0.0.1:1', '[::1]:1', 'no-such-host.invalid:9092'];
    const error = await reachBroker({ brokers }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(BrokersUnreachable);
    const { message } = error as Error;
    expect(message).toMatch(/^no Kafka broker could be reached \(127\.0\.0\.1:1: ECONNREFUSED, /);
    for (const name of brokers) expect(message).toContain(`${name}: `);
    expect(message).toContain('KAFKA_BROKERS');
  });
});
