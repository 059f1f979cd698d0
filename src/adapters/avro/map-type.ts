import avro from 'avsc';

/** What avsc reads from and writes to. */
interface Tap {
  readLong(): number;
  skipLong(): void;
  readString(): string;
  writeLong(value: number): void;
  writeString(value: string): void;
}

interface ValuesType {
  _read(tap: Tap): unknown;
  _write(tap: Tap, value: unknown): void;
  _copy(value: unknown, options: unknown): unknown;
}

type Entries = Record<string, unknown>;

/**
 * Maps as objects without a prototype, so that every key is ordinary: avsc alone loses the
 * value of `__proto__`. Keys are always valid UTF-8, as texts are.
 */
export class MapType extends avro.types.MapType {
  _read(tap: Tap): Entries {
    // Called on a resolver too, which has nothing of this type but its `valuesType`.
    const values = this.valuesType as ValuesType;
    const entries = Object.create(null) as Entries;
    for (let count = readCount(tap); count !== 0; count = readCount(tap)) {
      for (let entry = 0; entry < count; entry += 1) {
        const key = tap.readString();
        entries[key] = values._read(tap);
      }
    }
    return entries;
  }

  _write(tap: Tap, value: unknown): void {
    if (!isEntries(value)) throw new TypeError('A map is an object.');
    const values = this.valuesType as ValuesType;
    const keys = Object.keys(value);
    if (keys.length > 0) tap.writeLong(keys.length);
    for (const key of keys) {
      tap.writeString(key.toWellFormed());
      values._write(tap, value[key]);
    }
    tap.writeLong(0);
  }

  _copy(value: unknown, options: unknown): Entries {
    if (!isEntries(value)) throw new TypeError('A map is an object.');
    const values = this.valuesType as ValuesType;
    const copy = Object.create(null) as Entries;
    for (const key of Object.keys(value)) copy[key] = values._copy(value[key], options);
    return copy;
  }
}

export function isMapSchema(schema: unknown): boolean {
  return typeof schema === 'object' && (schema as { type?: unknown } | null)?.type === 'map';
}

/** A block's number of entries; a negative one is followed by the block's size. */
function readCount(tap: Tap): number {
  const count = tap.readLong();
  if (count >= 0) return count;
  tap.skipLong();
  return -count;
}

function isEntries(value: unknown): value is Entries {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
