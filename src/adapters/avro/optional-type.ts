import avro, { type Schema } from 'avsc';

interface Tap {
  writeLong(value: number): void;
}

interface WritingType {
  _write(tap: Tap, value: unknown): void;
}

/**
 * A union of null and one other type. avsc alone converts a value twice: to learn whether it fits, and to write it. Here every
 * value but null belongs to the other type, which refuses a value that does not fit.
 */
export class OptionalType extends avro.types.UnwrappedUnionType {
  _write(tap: Tap, value: unknown): void {
    const isNull = value === null;
    tap.writeLong(isNull ? 0 : 1);
    if (!isNull) (this.types[1] as unknown as WritingType)._write(tap, value);
  }
}

/** Whether it is such a union, with null first as in all schemas of the contract. */
export function isOptionalSchema(schema: unknown): schema is Schema[] {
  return Array.isArray(schema) && schema.length === 2 && schema[0] === 'null' && schema[1] !== 'null';
}
