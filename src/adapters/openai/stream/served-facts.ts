import { isObject } from '../../../domain/text/is-object.ts';
import type { ServedBy } from '../../../ports/provider.ts';
import { reportedId, reportedWord } from '../http/metadata-text.ts';
import { answerLimits } from '../wire/answer-limits.ts';
import { maskSecrets } from '../wire/mask-secrets.ts';
import type { WireObject } from '../wire/wire.ts';

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * Collects who served an answer from its chunks. These facts go into logs, spans and metrics, and a server may echo there what it
 * was sent: they are masked.
 */
export class ServedFacts {
  readonly served: Writable<ServedBy>;
  readonly #apiKey: string;

  constructor(providerRequestId: string | null, apiKey: string) {
    this.#apiKey = apiKey;
    this.served = {
      responseId: null,
      model: null,
      serviceTier: null,
      systemFingerprint: null,
      moderationJson: null,
      providerRequestId,
    };
  }

  note(chunk: WireObject): void {
    const { served } = this;
    served.responseId ??= this.#masked(reportedId(chunk['id']));
    served.model ??= this.#masked(reportedWord(chunk['model']));
    const serviceTier = reportedWord(chunk['service_tier']);
    if (serviceTier !== null && serviceTier !== served.serviceTier)
      served.serviceTier = this.#masked(serviceTier);
    const fingerprint = reportedId(chunk['system_fingerprint']);
    if (fingerprint !== null && fingerprint !== served.systemFingerprint)
      served.systemFingerprint = this.#masked(fingerprint);
    if (isObject(chunk['moderation'])) {
      const moderationJson = JSON.stringify(chunk['moderation']);
      if (moderationJson.length <= answerLimits.moderationCharacters) served.moderationJson = moderationJson;
    }
  }

  #masked(text: string | null): string | null {
    return text === null ? null : maskSecrets(text, this.#apiKey, answerLimits.metadataCharacters);
  }
}
