import { anthropic } from './providers/anthropic.ts';
import { azureOpenai } from './providers/azure-openai.ts';
import { deepseek } from './providers/deepseek.ts';
import { gateways } from './providers/gateways.ts';
import { gemini } from './providers/gemini.ts';
import { groq } from './providers/groq.ts';
import { llamaCpp } from './providers/llama-cpp.ts';
import { mistral } from './providers/mistral.ts';
import { ollama } from './providers/ollama.ts';
import { openai } from './providers/openai.ts';
import { openrouter } from './providers/openrouter.ts';
import { perplexity } from './providers/perplexity.ts';
import { vllm } from './providers/vllm.ts';
import { xai } from './providers/xai.ts';
import type { ProviderExchanges, ReplayExchange } from './replay-exchange.ts';

export const providerExchanges: readonly ProviderExchanges[] = [
  openai,
  azureOpenai,
  mistral,
  deepseek,
  groq,
  xai,
  perplexity,
  ollama,
  openrouter,
  vllm,
  llamaCpp,
  gemini,
  anthropic,
  gateways,
];

/** Every exchange by its id: `deepseek/keep-alive-comments`. */
export const exchangesById: ReadonlyMap<string, ReplayExchange> = new Map(
  providerExchanges.flatMap(({ id, exchanges }) =>
    Object.entries(exchanges).map(([name, exchange]) => [`${id}/${name}`, exchange] as const),
  ),
);
