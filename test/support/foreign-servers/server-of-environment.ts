import type { ForeignServer } from './foreign-server.ts';

/**
 * The server of AI_TEST_BASE_URL, with AI_TEST_API_KEY and AI_TEST_MODEL: any that speaks the API, the real one too. A run costs a few
 * hundred tokens there. Nothing but a wrong key is provoked on it, and that only where keys are known to be checked.
 *
 * @returns null when none is named
 */
export function serverOfEnvironment(env: Readonly<Record<string, string | undefined>>): ForeignServer | null {
  const baseUrl = env['AI_TEST_BASE_URL'];
  if (!baseUrl) return null;
  const apiKey = env['AI_TEST_API_KEY'] || 'none';
  return {
    name: baseUrl,
    concurrency: 3,
    faults: new URL(baseUrl).hostname === 'api.openai.com' ? ['401'] : [],
    callsInParallel: false,
    tokensPerMinute: null,
    start: async () => ({
      baseUrl,
      apiKey,
      model: env['AI_TEST_MODEL'] || 'gpt-4o-mini',
      provoke: async () => ({ apiKey: 'sk-invalid-1234567890', prompt: 'Say something kind.' }),
      close: async () => undefined,
    }),
  };
}
