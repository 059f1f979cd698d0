/** What a fuzzed input was found to do that none may. The name groups findings of one kind. */
export class Finding extends Error {
  override readonly name: string;

  constructor(name: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = name;
  }
}

/** Something that inputs are pushed through, each made from its place in the row of a seed. */
export interface Target {
  /**
   * @returns how it ended, in a word or two
   * @throws {Finding} when it did what none may
   */
  run(index: number): Promise<string>;
  close(): Promise<void>;
}

export interface TargetModule {
  createTarget(seed: number): Promise<Target>;
}

export const TARGETS = { records: './record-target.ts', answers: './answer-target.ts' } as const;
export type TargetName = keyof typeof TARGETS;

/** From the process that fuzzes to the one that watches it. */
export type Report =
  | { readonly kind: 'outcomes'; readonly counts: Readonly<Record<string, number>> }
  | { readonly kind: 'finding'; readonly index: number; readonly name: string; readonly message: string }
  | { readonly kind: 'done' };
