/** What an import did, or with a dry run would do, by the names of the entries in the order of the file. */
export interface ImportSummary {
  /** Models that were not known; prices of models that had none. */
  readonly added: readonly string[];
  /** Models that are different now; new versions of prices. */
  readonly changed: readonly string[];
  readonly unchanged: readonly string[];
  /** Entries that were left out, each with what it clashes with. */
  readonly refused: readonly { readonly name: string; readonly reason: string }[];
}
