import { maskSecrets } from './mask-secrets.ts';

/**
 * What is innermost in an error, fit to be logged: name, code, masked message and the frames of its stack. Errors of
 * HTTP libraries carry raw bytes of answers and header values as further members.
 */
export function plainCause(error: unknown, apiKey: string): (Error & { code?: string }) | undefined {
  const root = rootOf(error);
  if (!(root instanceof Error)) return undefined;
  const plain: Error & { code?: string } = new Error(maskSecrets(root.message, apiKey));
  plain.name = root.name;
  if ('code' in root && typeof root.code === 'string') plain.code = root.code;
  const frames = (root.stack ?? '').split('\n').filter((line) => line.startsWith('    at '));
  plain.stack = [`${plain.name}: ${plain.message}`, ...frames].join('\n');
  return plain;
}

function rootOf(error: unknown): unknown {
  let root = error;
  for (let depth = 0; depth < 8 && root instanceof Error && root.cause !== undefined; depth += 1) {
    root = root.cause;
  }
  return root instanceof AggregateError && root.errors.length > 0 ? root.errors[0] : root;
}
