import { type Adaptation, withAdaptation } from '../../../domain/parameters/adaptation.ts';

/** Callers choose the names of models. */
const MAX_MODELS = 1_000;

/** The learned adaptations of each model. */
export class KnownAdaptations {
  readonly #always: readonly Adaptation[];
  /** The model that was learned about last is last. */
  readonly #byModel = new Map<string, readonly Adaptation[]>();

  /** @param always holds for every model */
  constructor(always: readonly Adaptation[]) {
    this.#always = always;
  }

  of(model: string): readonly Adaptation[] {
    return this.#byModel.get(model) ?? this.#always;
  }

  /** The server took a call that differed in these. */
  remember(model: string, adaptations: readonly Adaptation[]): void {
    if (adaptations.length === 0) return;
    const known = adaptations.reduce(withAdaptation, this.of(model));
    this.#byModel.delete(model);
    this.#byModel.set(model, known);
    const [oldest] = this.#byModel.keys();
    if (this.#byModel.size > MAX_MODELS && oldest !== undefined) this.#byModel.delete(oldest);
  }
}
