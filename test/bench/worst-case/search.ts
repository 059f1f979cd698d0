import type { RecordCodec } from '../../../src/contract/codec.ts';
import type { InboundRecord } from '../../../src/ports/kafka.ts';
import { validSamples } from './avro-candidates.ts';
import { type Candidate, inbound } from './candidate.ts';
import type { OtherWork } from './other-work.ts';
import { runStages } from './stages.ts';

export interface Row {
  readonly field: string;
  readonly input: string;
  readonly bytes: number;
  readonly ms: number;
  readonly stage: string;
}

interface Found extends Row {
  readonly again: () => Promise<Omit<Row, 'field' | 'input'> | null>;
}

/** How many inputs of a field are measured again: the first time may have met the compiler or the garbage collector. */
const KEPT = 3;
const TIMES = 3;

/** Looks at candidates once, keeps the slowest of each field, and measures those again. */
export class WorstCases {
  looked = 0;
  readonly #codec: RecordCodec;
  readonly #maxBytes: number;
  readonly #worst = new Map<string, Found[]>();

  constructor(codec: RecordCodec, maxBytes: number) {
    this.#codec = codec;
    this.#maxBytes = maxBytes;
  }

  /** Until the code that is measured has been compiled. */
  async warmUp(): Promise<void> {
    const records = validSamples(this.#codec).map((sample) =>
      inbound(this.#codec.encode('ChatRequest', sample)),
    );
    const json = inbound(Buffer.from('{"messages":[{"role":"user","content":"Hi"}]}'));
    for (let round = 0; round < 50; round += 1)
      for (const record of [...records, json]) await runStages(record, this.#codec, this.#maxBytes);
  }

  /** Within a time limit, as many of them as fit, spread evenly over all. */
  async look(candidates: readonly Candidate[], limitMs: number): Promise<void> {
    const endsAt = performance.now() + limitMs;
    // A step that meets every candidate once, in an order in which neighbours are far apart.
    const step = coprimeTo(candidates.length, 101);
    for (let turn = 0; turn < candidates.length && performance.now() < endsAt; turn += 1) {
      const candidate = candidates[(turn * step) % candidates.length];
      if (candidate === undefined) continue;
      const again = async () => {
        const record = candidate.record();
        return record === null ? null : this.#slowest(record);
      };
      const first = await again();
      if (first !== null) this.#keep({ field: candidate.field, input: candidate.input, ...first, again });
      this.looked += 1;
    }
  }

  async lookAtOther(works: readonly OtherWork[]): Promise<void> {
    for (const { field, input, run } of works) {
      const again = async () => ({ bytes: 65_536, ms: await run(), stage: 'mask' });
      this.#keep({ field, input, ...(await again()), again });
      this.looked += 1;
    }
  }

  /**
   * The slowest input of each field, at its best of several times where the first is above `fromMs`; the slowest fields
   * first.
   */
  async confirmed(fromMs: number): Promise<Row[]> {
    const rows: Row[] = [];
    for (const found of this.#worst.values()) {
      const isSettled = (found[0]?.ms ?? 0) < fromMs;
      const measured: Row[] = [];
      // One after the other: they would count each other's time.
      for (const one of found) measured.push(isSettled ? one : await bestOf(one));
      const [slowest] = measured.toSorted((one, other) => other.ms - one.ms);
      if (slowest !== undefined) rows.push(slowest);
    }
    return rows.toSorted((one, other) => other.ms - one.ms);
  }

  async #slowest(record: InboundRecord): Promise<Omit<Row, 'field' | 'input'>> {
    const times = await runStages(record, this.#codec, this.#maxBytes);
    const [stage, ms] = [...times].reduce((one, other) => (other[1] > one[1] ? other : one));
    return { bytes: sizeOf(record), ms, stage };
  }

  #keep(found: Found): void {
    const known = this.#worst.get(found.field) ?? [];
    known.push(found);
    known.sort((one, other) => other.ms - one.ms);
    this.#worst.set(found.field, known.slice(0, KEPT));
  }
}

async function bestOf(found: Found): Promise<Row> {
  let best: Row = found;
  for (let time = 1; time < TIMES; time += 1) {
    const again = await found.again();
    if (again !== null && again.ms < best.ms) best = { ...best, ...again };
  }
  return best;
}

function sizeOf({ key, value, headers }: InboundRecord): number {
  let bytes = (key?.length ?? 0) + (value?.length ?? 0);
  for (const name of Object.keys(headers)) {
    const given = headers[name];
    for (const one of Array.isArray(given) ? given : [given]) bytes += one?.length ?? 0;
    bytes += name.length;
  }
  return bytes;
}

function coprimeTo(count: number, from: number): number {
  const divisor = (one: number, other: number): number => (other === 0 ? one : divisor(other, one % other));
  let step = from;
  while (count > 1 && divisor(step, count) !== 1) step += 1;
  return step;
}
