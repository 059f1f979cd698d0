import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { choosePort, explicitPort, freePort, isPortFree } from '../../../scripts/stack/ports.ts';

describe('the choice of a port', () => {
  let squatter: Server;
  let taken: number;
  const wish = { service: 'Kafka', variable: 'STACK_KAFKA_PORT', explicit: undefined, remembered: undefined };

  beforeEach(async () => {
    squatter = createServer().listen(0, '127.0.0.1');
    await once(squatter, 'listening');
    taken = (squatter.address() as AddressInfo).port;
  });
  afterEach(() => squatter.close());

  it('is the requested port', async () => {
    const port = await freePort();
    expect(await choosePort({ ...wish, explicit: String(port), remembered: taken, standard: taken })).toBe(
      port,
    );
  });

  it('fails with a remedy when the requested port is taken', async () => {
    const choice = choosePort({ ...wish, explicit: String(taken), standard: await freePort() });
    await expect(choice).rejects.toThrow(`STACK_KAFKA_PORT=${taken}: port ${taken} of 127.0.0.1 is taken`);
  });

  it('is the previous port while that is free, before the standard one', async () => {
    const [remembered, standard] = [await freePort(), await freePort()];
    expect(await choosePort({ ...wish, remembered, standard })).toBe(remembered);
    expect(await choosePort({ ...wish, remembered: taken, standard })).toBe(standard);
  });

  it('is a free one when the standard one is taken', async () => {
    const port = await choosePort({ ...wish, standard: taken });
    expect(port).not.toBe(taken);
    expect(await isPortFree(port)).toBe(true);
  });

  it.each(['0', '65536', 'http', '9.5'])('refuses %j as a port', (value) => {
    expect(() => explicitPort('STACK_KAFKA_PORT', value)).toThrow(`STACK_KAFKA_PORT=${value} is not a port`);
  });

  it('treats an empty variable as unset', () => {
    expect(explicitPort('STACK_KAFKA_PORT', '')).toBeUndefined();
  });
});
