/**
 * What a person at a terminal reads of a command's failure. The drivers name neither what they could not reach nor which
 * setting says where it is.
 */
export function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { name, message } = error;
  if (/^KafkaJS.*Connection/.test(nameOfFirst(error)))
    return `no Kafka broker could be reached (${message}); is one running, and is KAFKA_BROKERS right?`;
  if (name.startsWith('KafkaJS')) return `Kafka: ${[message, ...partsOf(error)].join(': ')}`;
  if (name === 'MongoServerSelectionError' || name.startsWith('MongoNetwork'))
    return `MongoDB could not be reached (${message}); is it running, and is MONGODB_URL right?`;
  return name.startsWith('Mongo') ? `MongoDB: ${message}` : message;
}

/** kafkajs wraps what went wrong first in the errors of its retries. */
function nameOfFirst(error: Error): string {
  return error.cause instanceof Error ? nameOfFirst(error.cause) : error.name;
}

/** An error of several topics at once says only in its parts what was wrong. */
function partsOf(error: Error): string[] {
  const { errors } = error as { errors?: unknown };
  return Array.isArray(errors) ? [errors.map((part: Error) => part.message).join(', ')] : [];
}
