import { aimock } from './aimock.ts';
import type { ForeignServer } from './foreign-server.ts';
import { llmock } from './llmock.ts';
import { serverOfEnvironment } from './server-of-environment.ts';

/** Those that are always there, and the one that AI_TEST_BASE_URL names, if it does. */
export function foreignServers(env: Readonly<Record<string, string | undefined>>): ForeignServer[] {
  const named = serverOfEnvironment(env);
  return [aimock, llmock, ...(named === null ? [] : [named])];
}
