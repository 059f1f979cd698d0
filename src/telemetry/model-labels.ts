/** The label for every name without a label of its own. */
export const OTHER_MODEL = '_other';

/** Failures by which a provider says that there is no such model. */
const UNKNOWN_MODEL: ReadonlySet<string> = new Set(['model_not_found', 'invalid_request']);

/**
 * Names of models as labels. Callers choose the names, and a process keeps each label until it ends. So a name that the
 * provider has not recognized yet, and every name beyond the limit, becomes `_other`.
 */
export class ModelLabels {
  private readonly known = new Set<string>();
  private readonly limit: number;

  constructor(limit = 500) {
    this.limit = limit;
  }

  /** @param errorCode how the call failed; null if it succeeded, undefined if unknown */
  of(name: string, errorCode?: string | null): string {
    if (this.known.has(name)) return name;
    if (errorCode === undefined || (errorCode !== null && UNKNOWN_MODEL.has(errorCode))) return OTHER_MODEL;
    if (this.known.size >= this.limit) return OTHER_MODEL;
    this.known.add(name);
    return name;
  }
}
