/** A forbidden effect of a fuzzed input. The name groups findings of one kind. */
export class Finding extends Error {
  override readonly name: string;

  constructor(name: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = name;
  }
}

/** Code under fuzzing. Each input is generated from its position in the row of a seed. */
export interface Target {
  /**
   * @returns the outcome, in one or two words
   * @throws {Finding} when the input has a forbidden effect
   */
  run(index: number): Promise<string>;
  close(): Promise<void>;
}

export interface TargetModule {
  createTarget(seed: number): Promise<Target>;
}

export const TARGETS = { records: './record-target.ts', answers: './answer-target.ts' } as const;
export type TargetName = keyof typeof TARGETS;

/** Message from the fuzzing process to the watching one. */
export type Report =
  | { readonly kind: 'outcomes'; readonly counts: Readonly<Record<string, number>> }
  | { readonly kind: 'finding'; readonly index: number; readonly name: string; readonly message: string }
  | { readonly kind: 'done' };
