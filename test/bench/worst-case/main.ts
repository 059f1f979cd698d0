/**
 * `npm run bench:worst-case [-- --quick] [-- --only TEXT] [-- --seconds N]`: the records that hold the event loop the longest, by a search over
 * every field, header and member of a request. Exits with 1 when one is above the limit.
 */
import { parseArgs } from 'node:util';
import { table } from '../../../scripts/quickstart/table.ts';
import { createSingleObjectCodec } from '../../../src/adapters/avro/single-object-codec.ts';
import { startTelemetry } from '../../../src/telemetry/start.ts';
import { avroCandidates } from './avro-candidates.ts';
import type { Candidate } from './candidate.ts';
import { headerCandidates } from './header-candidates.ts';
import { jsonCandidates } from './json-candidates.ts';
import { otherWork } from './other-work.ts';
import { WorstCases } from './search.ts';
import { shapeCandidates } from './shape-candidates.ts';

/** The default of RECORD_MAX_BYTES. */
const RECORD_MAX_BYTES = 900_000;
const LIMIT_MS = 100;
const QUICK_MS = 15_000;

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    seconds: { type: 'string', default: '' },
  },
});

// Read trace context as the service does.
const telemetry = startTelemetry({
  serviceName: 'worst-case',
  serviceVersion: '0',
  env: { OTEL_TRACES_EXPORTER: 'none' },
});
const codec = createSingleObjectCodec(RECORD_MAX_BYTES);
const candidates: Candidate[] = [
  ...shapeCandidates(codec, RECORD_MAX_BYTES),
  ...avroCandidates(codec, RECORD_MAX_BYTES),
  ...headerCandidates(RECORD_MAX_BYTES),
  ...jsonCandidates(codec, RECORD_MAX_BYTES),
].filter(({ field }) => field.includes(options.only));

const search = new WorstCases(codec, RECORD_MAX_BYTES);
await search.warmUp();
await search.look(candidates, searchMs());
if ('provider error body'.includes(options.only)) await search.lookAtOther(otherWork());
const rows = await search.confirmed(options.quick ? LIMIT_MS / 2 : LIMIT_MS / 5);
await telemetry.shutdown();

function searchMs(): number {
  if (options.seconds !== '') return Number(options.seconds) * 1_000;
  return options.quick ? QUICK_MS : Number.POSITIVE_INFINITY;
}

const right = { align: 'right' } as const;
const columns = [
  { title: 'field' },
  { title: 'worst input' },
  { title: 'bytes', ...right },
  { title: 'ms', ...right },
  { title: 'stage' },
];
const cells = rows.map(({ field, input, bytes, ms, stage }) => [
  field,
  input,
  String(bytes),
  ms.toFixed(1),
  stage,
]);
process.stdout.write(`${table(columns, cells).join('\n')}\n`);
const above = rows.filter(({ ms }) => ms > LIMIT_MS).length;
process.stdout.write(
  `${search.looked} inputs of ${candidates.length}, ${rows.length} fields; ${above} above ${LIMIT_MS} ms of processor time in one go\n`,
);
process.exit(above === 0 ? 0 : 1);
