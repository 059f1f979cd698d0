import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { fingerprintOf, fingerprintText } from '../../src/adapters/avro/fingerprint.ts';
import { loadSchemas } from '../../src/adapters/avro/load-schemas.ts';
import { parseSchema } from '../../src/adapters/avro/parse-schema.ts';
import { RECORD_NAMES } from '../../src/contract/record-types.ts';
import {
  expandedTypes,
  incompatibilities,
  isNamed,
  ruleViolations,
  type SchemaJson,
} from './schema-rules.ts';

const { current } = loadSchemas();
const currentJson = (name: string): SchemaJson =>
  JSON.parse(current[name as keyof typeof current]) as SchemaJson;

const releasedFolder = new URL('../../schemas/released/', import.meta.url);
const released = readdirSync(releasedFolder).map((file) => ({
  file,
  name: file.split('.')[0] ?? '',
  json: readFileSync(new URL(file, releasedFolder), 'utf8'),
}));

const javaFingerprints = JSON.parse(
  readFileSync(new URL('../fixtures/java-fingerprints.json', import.meta.url), 'utf8'),
) as { records: Record<string, string>; specification: { schema: SchemaJson; fingerprint: string }[] };

const withoutDocs = (json: string): unknown =>
  JSON.parse(json, (key, value) => (key === 'doc' && typeof value === 'string' ? undefined : value));

const fingerprintTextOf = (json: string): string => fingerprintText(fingerprintOf(parseSchema(json)));

describe.each(RECORD_NAMES)('the schema of %s', (name) => {
  test('keeps the rules: documented, unions [null, T], enums from UNKNOWN, no recursion', () => {
    expect(ruleViolations(currentJson(name))).toEqual([]);
    expect(() => expandedTypes(currentJson(name))).not.toThrow();
  });

  test('is named like its file, in the namespace of the project', () => {
    expect(parseSchema(current[name]).name).toBe(`completionbus.v1.${name}`);
  });

  test('is among the released ones, unchanged but for its documentation', () => {
    const file = `${name}.${fingerprintTextOf(current[name])}.avsc`;
    const version = released.find((one) => one.file === file);
    expect(version && withoutDocs(version.json)).toEqual(withoutDocs(current[name]));
  });

  test('reads every released version and is read by it', () => {
    const versions = released.filter((version) => version.name === name);
    expect(versions.length).toBeGreaterThan(0);
    for (const { file, json } of versions) {
      expect(incompatibilities(JSON.parse(json) as SchemaJson, currentJson(name)), file).toEqual([]);
    }
  });
});

test('types that several files share are the same in each', () => {
  const seen = new Map<string, string>();
  for (const name of RECORD_NAMES) {
    for (const [type, definition] of expandedTypes(currentJson(name))) {
      expect(definition, `${type} in ${name}.avsc`).toBe(seen.get(type) ?? definition);
      seen.set(type, definition);
    }
  }
});

test('every released file is named after its fingerprint', () => {
  for (const { file, name, json } of released) {
    expect(file).toBe(`${name}.${fingerprintTextOf(json)}.avsc`);
  }
});

test('the folder has no schema that the service does not know', () => {
  const files = readdirSync(new URL('../../schemas/', import.meta.url)).filter((file) =>
    file.endsWith('.avsc'),
  );
  expect(files.sort()).toEqual(RECORD_NAMES.map((name) => `${name}.avsc`).sort());
});

test('the TypeScript types match the schemas', () => {
  const script = fileURLToPath(new URL('../../scripts/generate-records.ts', import.meta.url));
  const { status, stderr } = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' });
  expect(stderr.replaceAll(/^.*Warning.*$/gm, '').trim()).toBe('');
  expect(status).toBe(0);
});

describe('fingerprints', () => {
  test.each(Object.entries(javaFingerprints.records))(
    'of %s agree with Java Avro 1.12',
    (name, fingerprint) => {
      const json = released.find((version) => version.file === `${name}.${fingerprint}.avsc`)?.json;
      expect(json && fingerprintTextOf(json)).toBe(fingerprint);
    },
  );

  test.each(javaFingerprints.specification)(
    'of $schema agree with Java Avro 1.12',
    ({ schema, fingerprint }) => {
      expect(fingerprintTextOf(JSON.stringify(schema))).toBe(fingerprint);
    },
  );
});

describe('the check of versions finds', () => {
  type Record = Extract<SchemaJson, { fields?: unknown }>;
  const changed = (name: string, change: (schema: Record) => void): string[] => {
    const newer = structuredClone(currentJson(name));
    if (!isNamed(newer)) throw new TypeError(`${name} is not a record`);
    change(newer);
    return incompatibilities(currentJson(name), newer);
  };
  const field = (schema: Record, name: string) => {
    const found = schema.fields?.find((candidate) => candidate.name === name);
    if (!found) throw new TypeError(`there is no field ${name}`);
    return found;
  };

  test('a new field without a default', () => {
    const problems = changed('CancelRequest', (schema) =>
      schema.fields?.push({ name: 'by', type: 'string', doc: 'Who.' }),
    );
    expect(problems).toHaveLength(1);
  });

  test('a removed field without a default', () => {
    expect(changed('CancelRequest', (schema) => schema.fields?.shift())).toHaveLength(1);
  });

  test('another type', () => {
    const problems = changed('MessageSent', (schema) => {
      field(schema, 'messageCount').type = 'string';
    });
    expect(problems).toHaveLength(2);
  });

  test('another default', () => {
    const problems = changed('CancelRequest', (schema) => {
      field(schema, 'tenantId').default = 'other';
    });
    expect(problems).toEqual(['default of CancelRequest.tenantId changed from "default" to "other"']);
  });

  test.each([{ precision: 30 }, { scale: 10 }])('another decimal: %o', (shape) => {
    const problems = changed('MessageSent', (schema) => {
      const decimal = { type: 'bytes', logicalType: 'decimal', precision: 38, scale: 12, ...shape } as const;
      field(schema, 'estimatedCost').type = ['null', decimal];
    });
    expect(problems).toContainEqual(expect.stringContaining('logical type of MessageSent.estimatedCost'));
  });

  test('another enum default', () => {
    const problems = changed('ModelChanged', (schema) => {
      const change = field(schema, 'change').type;
      if (isNamed(change)) change.default = 'ADDED';
    });
    expect(problems).toEqual(['default of ModelChange changed from UNKNOWN to ADDED']);
  });

  test('nothing in a new symbol or a new field with a default', () => {
    const problems = changed('ModelChanged', (schema) => {
      const change = field(schema, 'change').type;
      if (isNamed(change)) change.symbols?.push('RENAMED');
      schema.fields?.push({ name: 'note', type: ['null', 'string'], doc: 'For people.', default: null });
    });
    expect(problems).toEqual([]);
  });
});

test('the rules find a missing doc, a wide union and an enum without UNKNOWN', () => {
  const broken: SchemaJson = {
    type: 'record',
    name: 'Broken',
    fields: [
      { name: 'wide', type: ['null', 'int', 'string'], default: 1 },
      { name: 'kind', type: { type: 'enum', name: 'Kind', doc: 'Kind.', symbols: ['A'] }, doc: 'Kind.' },
    ],
  };
  expect(ruleViolations(broken)).toEqual([
    'Broken: no doc',
    'Broken.wide: no doc',
    'Broken.wide: nullable, but its default is not null',
    'Broken.wide: a union other than [null, T]',
    'Kind: does not begin with and default to UNKNOWN',
  ]);
});
