import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { describeConfig } from '../../../src/config/environment.ts';
import { loadConfig } from '../../../src/config/load-config.ts';

const chart = new URL('../../../helm/completion-bus/', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, chart), 'utf8');
const manifest = (path: string): { version: string } =>
  JSON.parse(readFileSync(new URL(path, chart), 'utf8'));

interface ChartValues {
  config: Record<string, string>;
  secrets: Record<string, { name: string; key: string }>;
}
const values: ChartValues = parse(read('values.yaml'));
const variables = describeConfig();
const names = (secret: boolean) =>
  variables.filter((variable) => variable.secret === secret).map(({ name }) => name);

/** Values that differ between a cluster and a single machine. */
const CLUSTER_VALUES = { KAFKA_BROKERS: 'kafka:9092', CHAT_TOPIC_REPLICATION: '3' };

describe('the chart', () => {
  it('sets every variable that is not secret in the ConfigMap, and no other', () => {
    expect(Object.keys(values.config).sort()).toEqual(names(false).sort());
  });

  it('takes every secret variable, and no other, from a Secret', () => {
    expect(Object.keys(values.secrets).sort()).toEqual(names(true).sort());
    for (const [name, { key }] of Object.entries(values.secrets)) expect(key).toBe(name);
  });

  it('has the service’s own defaults', () => {
    const defaults = variables
      .filter(({ secret }) => !secret)
      .map((variable) => [variable.name, variable.default ?? '']);
    expect(values.config).toEqual({ ...Object.fromEntries(defaults), ...CLUSTER_VALUES });
  });

  it('produces a configuration that the service starts with', () => {
    const env = {
      ...values.config,
      AI_OPENAI_API_KEY: 'sk',
      MONGODB_URL: 'mongodb://mongodb:27017/?replicaSet=rs0',
    };
    const config = loadConfig(env, { readFile: () => '', serve: true });
    expect(config.kafka.brokers).toEqual(['kafka:9092']);
  });

  it('uses only values that exist in its templates', () => {
    for (const file of readdirSync(new URL('templates/', chart))) {
      for (const [, name = ''] of read(`templates/${file}`).matchAll(/\.Values\.config\.([A-Z_]+)/g)) {
        expect(values.config, `${file} uses ${name}`).toHaveProperty(name);
      }
    }
  });

  it('ships the version of the service', () => {
    const { version } = manifest('../../package.json');
    expect(parse(read('Chart.yaml'))).toMatchObject({ version, appVersion: version });
  });
});
