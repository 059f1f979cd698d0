/** What stands for every name that is no label of its own. */
export const OTHER_MODEL = '_other';

/** Failures by which a provider says that there is no such model. */
const UNKNOWN_MODEL: ReadonlySet<string> = new Set(['model_not_found', 'invalid_request']);

/**
 * Names of models as labels. Callers choose them, and each label is kept for as long as the process runs: so a name that no call
 * has got past, and every one beyond the limit, is `_other`.
 */
export class ModelLabels {
  private readonly known = new Set<string>();
  private readonly limit: number;

  constructor(limit = 500) {
    this.limit = limit;
  }

  /** @param errorCode how the call failed; null when it did not, undefined when that is not known */
  of(name: string, errorCode?: string | null): string {
    if (this.known.has(name)) return name;
    if (errorCode === undefined || (errorCode !== null && UNKNOWN_MODEL.has(errorCode))) return OTHER_MODEL;
    if (this.known.size >= this.limit) return OTHER_MODEL;
    this.known.add(name);
    return name;
  }
}
