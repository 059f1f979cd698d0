import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { describeConfig, type VariableDescription } from '../../../src/config/environment.ts';

const page = readFileSync(new URL('../../../docs/configuration.md', import.meta.url), 'utf8');

/** A variable as the documentation's table shows it. */
function row({
  name,
  fromFile,
  secret,
  default: fallback,
  otherwise,
  unit,
  description,
}: VariableDescription): string {
  const marks = `${secret ? ' 🔒' : ''}${fromFile ? ' 📄' : ''}`;
  const shownDefault = fallback === null ? (otherwise ?? '') : `\`${fallback}\``;
  return `| \`${name}\`${marks} | ${shownDefault} | ${unit ?? ''} | ${description} |`;
}

describe('docs/configuration.md', () => {
  it('has exactly the variables of the schema, in its order, with their defaults and descriptions', () => {
    const documented = page.split('\n').filter((line) => line.startsWith('| `'));
    expect(documented).toEqual(describeConfig().map(row));
  });
});

describe('describeConfig', () => {
  it('describes every variable in a sentence', () => {
    for (const { name, description } of describeConfig()) expect(description, name).toMatch(/^[A-Z].*\.$/);
  });

  it('marks the secrets and the variables that may come from a file', () => {
    const named = (flag: 'secret' | 'fromFile') =>
      describeConfig()
        .filter((variable) => variable[flag])
        .map(({ name }) => name);
    expect(named('secret')).toEqual([
      'KAFKA_SSL_KEY',
      'KAFKA_SASL_PASSWORD',
      'MONGODB_URL',
      'AI_OPENAI_API_KEY',
      'AI_OPENAI_ADMIN_KEY',
      'AI_OPENAI_HEADERS',
      'HTTPS_PROXY',
    ]);
    expect(named('fromFile')).toEqual(['KAFKA_SSL_CA', 'KAFKA_SSL_CERT', ...named('secret')]);
  });
});
