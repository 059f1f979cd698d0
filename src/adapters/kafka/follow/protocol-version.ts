import type { Broker } from '../kafkajs/broker.ts';

/** The newest version of a request that both the broker and this service have. */
export function protocolVersion(broker: Broker, apiKey: number, newest: number): number {
  return Math.min(newest, broker.versions[apiKey]?.maxVersion ?? newest);
}
