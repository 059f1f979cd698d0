import { TOPIC_ROLES, topicNames } from '../contract/topics.ts';
import type { Values, VariableName } from './environment.ts';

/** Values that are valid alone but not together. */
export interface Conflict {
  /** The variable to change, then those that it conflicts with. */
  readonly names: readonly [VariableName, ...VariableName[]];
  readonly expected: string;
}

/** All rules that hold between variables. `serve`: also those that only a running service needs. */
export function conflicts(values: Values, serve: boolean): Conflict[] {
  return [...kafkaConflicts(values), ...topicConflicts(values), ...providerConflicts(values, serve)];
}

function kafkaConflicts(values: Values): Conflict[] {
  const found: Conflict[] = [];
  if (values.KAFKA_REQUEST_TIMEOUT >= values.KAFKA_TRANSACTION_TIMEOUT) {
    found.push({
      names: ['KAFKA_REQUEST_TIMEOUT', 'KAFKA_TRANSACTION_TIMEOUT'],
      expected: `a duration below KAFKA_TRANSACTION_TIMEOUT (${values.KAFKA_TRANSACTION_TIMEOUT} ms)`,
    });
  }
  for (const name of ['KAFKA_SSL_CA', 'KAFKA_SSL_CERT', 'KAFKA_SSL_KEY'] as const) {
    if (values[name] !== undefined && !values.KAFKA_SSL) {
      found.push({ names: [name, 'KAFKA_SSL'], expected: 'no value, or KAFKA_SSL=true' });
    }
  }
  found.push(
    ...allOrNone(values, ['KAFKA_SSL_CERT', 'KAFKA_SSL_KEY']),
    ...allOrNone(values, ['KAFKA_SASL_MECHANISM', 'KAFKA_SASL_USERNAME', 'KAFKA_SASL_PASSWORD']),
  );
  return found;
}

/** Requests read from an output topic would feed the service its own records. */
function topicConflicts(values: Values): Conflict[] {
  const names = topicNames(values.CHAT_TOPIC_PREFIX);
  const taken = TOPIC_ROLES.filter((role) => role !== 'requests').map((role) => names[role]);
  const unlike = (topic: string) => `topics that the service does not use otherwise, unlike ${topic}`;
  const requests = (values.CHAT_REQUEST_TOPICS ?? [{ topic: names.requests }]).map(({ topic }) => topic);
  const { CHAT_REPLY_TOPICS: given = [] } = values;
  const replies = given === 'none' ? [] : given;
  return [
    ...requests
      .filter((topic) => taken.includes(topic))
      .map(
        (topic): Conflict => ({
          names: ['CHAT_REQUEST_TOPICS', 'CHAT_TOPIC_PREFIX'],
          expected: unlike(topic),
        }),
      ),
    ...replies
      .filter((topic) => requests.includes(topic) || (taken.includes(topic) && topic !== names.replies))
      .map(
        (topic): Conflict => ({
          names: ['CHAT_REPLY_TOPICS', 'CHAT_REQUEST_TOPICS', 'CHAT_TOPIC_PREFIX'],
          expected: unlike(topic),
        }),
      ),
  ];
}

/** Timeouts that must fit into a request's timeout. */
const PARTS_OF_REQUEST = [
  'AI_OPENAI_TIMEOUT',
  'AI_OPENAI_FIRST_TOKEN_TIMEOUT',
  'AI_OPENAI_SLOW_FIRST_TOKEN_TIMEOUT',
  'AI_OPENAI_UNSTREAMED_TIMEOUT',
] as const;

function providerConflicts(values: Values, serve: boolean): Conflict[] {
  const found: Conflict[] = [];
  const inNeed = values.ROLES.find((role) => role === 'worker' || role === 'catalog');
  if (serve && inNeed !== undefined && values.AI_OPENAI_API_KEY === undefined) {
    found.push({ names: ['AI_OPENAI_API_KEY', 'ROLES'], expected: `an API key for the role ${inNeed}` });
  }
  for (const name of PARTS_OF_REQUEST) {
    if ((values[name] ?? 0) <= values.CHAT_REQUEST_TIMEOUT) continue;
    found.push({
      names: [name, 'CHAT_REQUEST_TIMEOUT'],
      expected: `a duration of at most CHAT_REQUEST_TIMEOUT (${values.CHAT_REQUEST_TIMEOUT} ms)`,
    });
  }
  if (values.RECORD_MAX_BYTES > values.MAX_IN_FLIGHT_BYTES) {
    found.push({
      names: ['RECORD_MAX_BYTES', 'MAX_IN_FLIGHT_BYTES'],
      expected: `a size of at most MAX_IN_FLIGHT_BYTES (${values.MAX_IN_FLIGHT_BYTES})`,
    });
  }
  return found;
}

/** Variables that only make sense together. The problem is reported for the missing ones. */
function allOrNone(values: Values, names: readonly VariableName[]): Conflict[] {
  const present = names.filter((name) => values[name] !== undefined);
  if (present.length === 0) return [];
  return names
    .filter((name) => values[name] === undefined)
    .map((name) => ({
      names: [name, ...present],
      expected: `a value, since ${present.join(' and ')} ${present.length === 1 ? 'is' : 'are'} set`,
    }));
}
