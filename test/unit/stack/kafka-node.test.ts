import { describe, expect, it } from 'vitest';
import { kafkaVariable } from '../../../scripts/stack/kafka-cluster.ts';
import { kafkaCommand, kafkaProperties, newClusterId } from '../../../scripts/stack/kafka-node.ts';

const voters = [1, 2, 3].map((id) => ({ id, controllerPort: 9100 + id }));
const node = { id: 2, directory: '/data/broker-2', port: 9202, voters, heapMegabytes: 384 };

function settings(text: string): Record<string, string> {
  return Object.fromEntries(
    text
      .trim()
      .split('\n')
      .map((line) => line.split(/=(.*)/s).slice(0, 2)),
  );
}

describe('the settings of a Kafka node', () => {
  it('listens on its own ports of 127.0.0.1 and names all voters', () => {
    expect(settings(kafkaProperties(node))).toMatchObject({
      'node.id': '2',
      listeners: 'PLAINTEXT://127.0.0.1:9202,CONTROLLER://127.0.0.1:9102',
      'advertised.listeners': 'PLAINTEXT://127.0.0.1:9202',
      'controller.quorum.voters': '1@127.0.0.1:9101,2@127.0.0.1:9102,3@127.0.0.1:9103',
      'log.dirs': '/data/broker-2/data',
    });
  });

  it('keeps three replicas on three brokers, two of which must be in sync', () => {
    expect(settings(kafkaProperties(node))).toMatchObject({
      'default.replication.factor': '3',
      'min.insync.replicas': '2',
      'transaction.state.log.replication.factor': '3',
      'transaction.state.log.min.isr': '2',
      'offsets.topic.replication.factor': '3',
    });
  });

  it('needs one replica in sync on a single broker', () => {
    const single = { ...node, id: 1, voters: voters.slice(0, 1) };
    expect(settings(kafkaProperties(single))).toMatchObject({
      'default.replication.factor': '1',
      'min.insync.replicas': '1',
    });
  });

  it('refuses a node that is not in its own cluster', () => {
    expect(() => kafkaProperties({ ...node, id: 4 })).toThrow('Kafka node 4');
  });

  it('can be distinguished by its command line from other nodes of the same machine', () => {
    const { args, marker } = kafkaCommand(node, '/jars');
    expect(args.join(' ')).toContain(marker);
    expect(marker).toContain('/data/broker-2/');
  });

  it('is passed to a container as environment variables', () => {
    expect(kafkaVariable('transaction.state.log.min.isr')).toBe('KAFKA_TRANSACTION_STATE_LOG_MIN_ISR');
  });
});

describe('a new cluster id', () => {
  it('has 22 characters that the command line does not parse as an option', () => {
    for (let i = 0; i < 500; i++) expect(newClusterId()).toMatch(/^[A-Za-z0-9_][A-Za-z0-9_-]{21}$/);
  });
});
