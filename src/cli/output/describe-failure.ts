import { ChatFailure } from '../../domain/failures/chat-failure.ts';
import { visibleName } from '../../domain/text/visible-text.ts';

/**
 * The message for a command's failure. The drivers name neither what they could not reach nor the setting with its address.
 */
export function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { name, message } = error;
  // A command's standard error belongs to its caller, who may see the provider's words.
  if (error instanceof ChatFailure && error.providerMessage !== null)
    return `${message} The provider says: ${visibleName(error.providerMessage)}`;
  const listening = describeListening(error);
  if (listening !== null) return listening;
  if (/^KafkaJS.*Connection/.test(nameOfFirst(error)))
    return `no Kafka broker could be reached (${message}); check that one is running and that KAFKA_BROKERS is correct`;
  if (name.startsWith('KafkaJS')) return `Kafka: ${[message, ...partsOf(error)].join(': ')}`;
  if (name === 'MongoServerSelectionError' || name.startsWith('MongoNetwork'))
    return `MongoDB could not be reached (${message}); check that it is running and that MONGODB_URL is correct`;
  if (/^Mongo(Parse|InvalidArgument|API|MissingCredentials)/.test(name))
    return `${settingOf(message)}: ${message}`;
  return name.startsWith('Mongo') ? `MongoDB: ${message}${loginHint(error)}` : message;
}

/** The health server cannot listen on its address. */
function describeListening(error: Error): string | null {
  const { code, syscall, port, address, hostname } = error as NodeJS.ErrnoException & {
    readonly port?: number;
    readonly address?: string;
    readonly hostname?: string;
  };
  if (syscall === 'getaddrinfo' && code !== undefined)
    return `HTTP_HOST: ${hostname} is not an address (${code})`;
  if (syscall !== 'listen') return null;
  if (code === 'EADDRINUSE')
    return `HTTP_PORT: port ${port} of ${address} is in use; stop what uses it, or set HTTP_PORT to another port (0 takes a free one)`;
  if (code === 'EACCES')
    return `HTTP_PORT: this user may not listen on port ${port}; set HTTP_PORT to a port above 1023`;
  return `HTTP_HOST: ${address} is not an address of this machine (${code})`;
}

/** The setting that the driver rejected. */
function settingOf(message: string): string {
  return /^database name/i.test(message) ? 'MONGODB_DATABASE' : 'MONGODB_URL';
}

const AUTHENTICATION_FAILED = 18;

function loginHint(error: Error): string {
  const { code } = error as { code?: unknown };
  return code === AUTHENTICATION_FAILED ? '; check user, password and authSource of MONGODB_URL' : '';
}

/** kafkajs wraps the first error in the errors of its retries. */
function nameOfFirst(error: Error): string {
  return error.cause instanceof Error ? nameOfFirst(error.cause) : error.name;
}

/** An error of several topics names the causes only in its parts. */
function partsOf(error: Error): string[] {
  const { errors } = error as { errors?: unknown };
  return Array.isArray(errors) ? [errors.map((part: Error) => part.message).join(', ')] : [];
}
