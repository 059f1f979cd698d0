import { isDeepStrictEqual } from 'node:util';
import avro, { type Type } from 'avsc';

/**
 * Paths of the fields in `value` that `reader` does not have and that were set: to something other than their default,
 * or than null where the field has no default.
 *
 * @param value as decoded with `writer`.
 */
export function unknownFields(writer: Type, reader: Type, value: unknown, path = ''): string[] {
  const { ArrayType, RecordType } = avro.types;
  if (value === null) return [];
  if (isUnion(writer) || isUnion(reader)) {
    const [writerBranch, readerBranch] = [valueBranch(writer), valueBranch(reader)];
    return writerBranch && readerBranch ? unknownFields(writerBranch, readerBranch, value, path) : [];
  }
  if (writer instanceof ArrayType && reader instanceof ArrayType) {
    return (value as unknown[]).flatMap((item, index) =>
      unknownFields(writer.itemsType, reader.itemsType, item, `${path}[${index}]`),
    );
  }
  if (!(writer instanceof RecordType && reader instanceof RecordType)) return [];
  const fields = value as Record<string, unknown>;
  return writer.fields.flatMap((field) => {
    const fieldPath = path ? `${path}.${field.name}` : field.name;
    const known = reader.field(field.name);
    if (known) return unknownFields(field.type, known.type, fields[field.name], fieldPath);
    return isSet(field, fields[field.name]) ? [fieldPath] : [];
  });
}

function isSet(field: avro.types.Field, value: unknown): boolean {
  const defaultValue: unknown = field.defaultValue();
  if (defaultValue === undefined) return value !== null;
  return !isDeepStrictEqual(value, defaultValue);
}

type Union = avro.types.UnwrappedUnionType | avro.types.WrappedUnionType;

function isUnion(type: Type): type is Union {
  return type instanceof avro.types.UnwrappedUnionType || type instanceof avro.types.WrappedUnionType;
}

/** The T of [null, T], which is the only union in the contract; a type that is no union is its own. */
function valueBranch(type: Type): Type | undefined {
  return isUnion(type) ? type.types.find((branch) => branch.typeName !== 'null') : type;
}
