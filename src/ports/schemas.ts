import type { Problem } from '../contract/records.ts';

/** A value that came as JSON text. */
export interface JsonValue {
  readonly value: unknown;
  /** Of its text. */
  readonly characters: number;
}

/** A schema that values can be held against. */
export interface ValueSchema {
  /**
   * What of a value does not fit: a few problems at most, none of them quoting it. Empty when it fits; null when that
   * could not be found out in time.
   *
   * @param root how every path begins, for example `arguments`
   * @param limitMs how long it may take, in milliseconds
   */
  misfits(json: JsonValue, root: string, limitMs: number): readonly Problem[] | null;
}

/** A schema that no value can be held against: it is wrong, or cannot be used within limits. */
export interface UnusableSchema {
  /** What is wrong with it and where, for whoever wrote it. */
  readonly reason: string;
}

/** Schemas from callers: no schema may hang or harm the worker or have an effect on another one. */
export interface SchemaCompiler {
  /** The same text is compiled once. Never rejects because of a schema. */
  compile(schemaJson: string): Promise<ValueSchema | UnusableSchema>;
}
