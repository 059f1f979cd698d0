import type { ModelFacts } from '../stores.ts';
import type { ModelEntry } from './catalog-file.ts';

/** The known facts of a family, for models that are missing from the file of models. */
export interface ModelFamily
  extends Pick<
    ModelFacts,
    | 'maxTokensParameter'
    | 'refusedParameters'
    | 'refusedWhileReasoning'
    | 'defaultReasoningEffort'
    | 'capabilities'
  > {
  /** Ids of the family are this, or continue with `-`, `.` or `:`. */
  readonly prefix: string;
}

/** The source of facts that follow from the family. */
export const INFERRED = 'inferred';

const datedSnapshot = /-(\d{4}-\d{2}-\d{2}|\d{4})$/;
/** Parts of names of models that do something else than chat. */
const OTHER_TASKS =
  /(?:^|[-_./:])(?:embed(?:ding|dings)?|rerank(?:er)?|moderation|transcribe|transcription|whisper|tts|dall-e|image|imagen|realtime|sora|diffusion)(?:$|[-_./:\d])/i;
const fineTuned = /^ft:([^:]+)/;

/**
 * The known facts of a model that a provider lists. Its entry in the file comes first. Next is the entry of the model that it is
 * a dated snapshot or a fine-tuned copy of. The last is its family. Sizes are not guessed from a family.
 *
 * @param families the longest matching prefix wins
 */
export function modelFacts(
  provider: string,
  id: string,
  known: ReadonlyMap<string, ModelEntry & { readonly source: string }>,
  families: readonly ModelFamily[],
): ModelFacts {
  const entry = known.get(`${provider}/${id}`);
  if (entry !== undefined) return entry;
  const base = fineTuned.exec(id)?.[1] ?? id.replace(datedSnapshot, '');
  const inferred = { provider, id, aliases: [], snapshot: null, shutdownAt: null, source: INFERRED };
  const baseEntry =
    known.get(`${provider}/${base}`) ?? known.get(`${provider}/${base.replace(datedSnapshot, '')}`);
  if (baseEntry !== undefined) return { ...baseEntry, ...inferred };
  const family = families
    .filter(({ prefix }) => belongsTo(base, prefix))
    .reduce<ModelFamily | null>(
      (longest, one) => (longest === null || one.prefix.length > longest.prefix.length ? one : longest),
      null,
    );
  const { prefix: _prefix, ...facts } = family ?? UNKNOWN_FAMILY;
  const capabilities = OTHER_TASKS.test(base)
    ? facts.capabilities.filter((one) => one !== 'chat')
    : facts.capabilities;
  return { contextWindow: null, maxOutputTokens: null, ...facts, capabilities, ...inferred };
}

/** In requests to such a model nothing is added, renamed or refused. */
const UNKNOWN_FAMILY: ModelFamily = {
  prefix: '',
  maxTokensParameter: null,
  refusedParameters: [],
  refusedWhileReasoning: [],
  defaultReasoningEffort: null,
  capabilities: ['chat', 'streaming'],
};

function belongsTo(id: string, prefix: string): boolean {
  return id.startsWith(prefix) && /^($|[-.:])/.test(id.slice(prefix.length));
}
