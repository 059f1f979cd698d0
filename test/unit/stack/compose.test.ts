import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { KAFKA_VERSION } from '../../../scripts/stack/downloads.ts';
import { kafkaVariable } from '../../../scripts/stack/kafka-cluster.ts';
import { trialSettings } from '../../../scripts/stack/kafka-node.ts';
import { checkoutDirectory, composeProjectName } from '../../../scripts/stack/stack-directory.ts';

const { services } = parse(readFileSync(join(checkoutDirectory, 'compose.yaml'), 'utf8'));

describe('the containers of the stack', () => {
  it('run Kafka in the version and with the settings of the local process', () => {
    expect(services.kafka.image).toBe(`apache/kafka:${KAFKA_VERSION}`);
    for (const [name, value] of Object.entries(trialSettings(1))) {
      expect([name, String(services.kafka.environment[kafkaVariable(name)])]).toEqual([name, String(value)]);
    }
  });

  it.each(['kafka', 'mongodb'])(
    'open the port of %s on 127.0.0.1 only, under the same number inside',
    (service) => {
      const [port] = services[service].ports;
      expect(port).toMatch(/^127\.0\.0\.1:(\$\{STACK_[A-Z]+_PORT:-\d+\}):\1$/);
    },
  );

  it('have a different name in every checkout', () => {
    expect(composeProjectName('/a/.stack')).not.toBe(composeProjectName('/b/.stack'));
    expect(composeProjectName('/a/.stack')).toBe(composeProjectName('/a/.stack'));
  });
});
