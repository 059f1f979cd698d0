import { editDistance } from '../../catalog/models/nearest-names.ts';
import { describeVariable, VARIABLE_NAMES } from '../../config/environment.ts';
import type { Environment } from '../../config/load-config.ts';

/** A variable of the environment that has no effect. */
export interface IneffectiveVariable {
  readonly name: string;
  /** Why, and what to do. Never the value. */
  readonly message: string;
}

/** Prefixes of names that only this service uses. `HTTP_`, `LOG_` and `MAX_` are common: with them only a typo counts. */
const PREFIX =
  /^(?:AI|KAFKA|CHAT|MONGODB|MONGO|OPENAI|LEDGER|CATALOG|BUDGET|SPEND|PRICE|TENANT|SCHEMA_REGISTRY|RECORD|LEASE|LIVEZ|DRAIN)_/;
/** Set by Kubernetes and Docker for a service that is called kafka or mongodb. */
const OF_A_SERVICE_LINK = /_(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT(?:_\d+_(?:TCP|UDP)(?:_\w+)?)?)$/;
/** Variables of other programs. */
const FOREIGN: ReadonlySet<string> = new Set([
  'KAFKA_HOME',
  'KAFKA_OPTS',
  'KAFKA_HEAP_OPTS',
  'KAFKA_LOG4J_OPTS',
  'HTTP_PROXY',
]);
const NOT_SUPPORTED_YET: readonly string[] = ['SCHEMA_REGISTRY_URL'];

/** A typo: two characters more, fewer, different or swapped. */
const SLIP = 2;
const LONGEST_NAME = 64;
const MOST_WARNINGS = 20;

/** Variables that look like this service's but are not read, in alphabetical order; at most twenty. */
export function ineffectiveVariables(env: Environment): IneffectiveVariable[] {
  const found: IneffectiveVariable[] = [];
  for (const name of Object.keys(env).sort()) {
    if (found.length === MOST_WARNINGS) break;
    if (!env[name]?.trim()) continue;
    if (NOT_SUPPORTED_YET.includes(name))
      found.push({ name, message: `${name} is not supported yet and has no effect` });
    else if (isMeantForUs(name)) found.push({ name, message: describe(name) });
  }
  return found;
}

const KNOWN: ReadonlySet<string> = new Set(
  VARIABLE_NAMES.flatMap((name) => (describeVariable(name).fromFile ? [name, `${name}_FILE`] : [name])),
);

function isMeantForUs(name: string): boolean {
  if (KNOWN.has(name) || FOREIGN.has(name) || name.length > LONGEST_NAME) return false;
  if (PREFIX.test(name)) return !OF_A_SERVICE_LINK.test(name);
  return name.length > 2 * SLIP + 2 && distanceToNearest(name) <= SLIP;
}

function distanceToNearest(name: string): number {
  return editDistance(name, nearest(name));
}

/** The most similar name by edit distance. A shared word counts as much as two characters. */
function nearest(name: string): string {
  const words = new Set(name.split('_'));
  const scores = [...KNOWN].map((candidate) => {
    const shared = candidate.split('_').filter((word) => words.has(word)).length;
    return { candidate, score: editDistance(name, candidate) - SLIP * shared };
  });
  return scores.reduce((best, one) => (one.score < best.score ? one : best)).candidate;
}

function describe(name: string): string {
  if (name.endsWith('_FILE') && KNOWN.has(name.slice(0, -'_FILE'.length)))
    return `${name} is not read: ${name.slice(0, -'_FILE'.length)} cannot come from a file`;
  const candidate = nearest(name);
  const isNear = editDistance(name, candidate) <= Math.max(SLIP, Math.floor(name.length / 2));
  const hint = isNear ? `did you mean ${candidate}?` : 'docs/configuration.md has all variables';
  return `${name} is not a variable of this service and has no effect; ${hint}`;
}
