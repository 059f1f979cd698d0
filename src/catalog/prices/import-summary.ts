/** What an import did, or what a dry run would do, by the names of the entries in the order of the file. */
export interface ImportSummary {
  /** New models; prices of models that had no price. */
  readonly added: readonly string[];
  /** Changed models; new versions of prices. */
  readonly changed: readonly string[];
  readonly unchanged: readonly string[];
  /** Entries that were left out, each with what it clashes with. */
  readonly refused: readonly { readonly name: string; readonly reason: string }[];
}
