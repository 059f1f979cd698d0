import avro, { type Type } from 'avsc';
import { decimalToBytes } from './decimal-bytes.ts';
import { DecimalType } from './parse-schema.ts';

/** Which field of `record` does not fit `type`, and why. Never contains the field's value. */
export function describeMisfit(type: Type, record: unknown): string {
  let description = '';
  type.isValid(record, {
    errorHook: (path, value, expected) => {
      description ||= `${fieldPath(path)} ${reason(expected, value)}`;
    },
  });
  return description;
}

function fieldPath(path: string[]): string {
  return path.map((step) => (/^\d+$/.test(step) ? `[${step}]` : `.${step}`)).join('');
}

function reason(expected: Type, value: unknown): string {
  const decimal = branchesOf(expected).find((branch) => branch instanceof DecimalType);
  if (decimal && typeof value === 'string') {
    try {
      decimalToBytes(value, decimal.shape);
    } catch (error) {
      return (error as RangeError).message;
    }
  }
  const names = branchesOf(expected).map(
    (branch) => branch.name ?? branch.typeName.replace(/^(logical|abstract):/, ''),
  );
  return `is ${kindOf(value)} that does not fit ${names.join(' or ')}`;
}

function branchesOf(type: Type): Type[] {
  return type instanceof avro.types.UnwrappedUnionType ? type.types : [type];
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'an array' : `a value of type ${typeof value}`;
}
