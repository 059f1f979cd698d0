/**
 * How servers say, in words alone, that prompt and output do not fit into the context: OpenAI, Azure OpenAI, vLLM, Ollama,
 * llama.cpp, LM Studio, Mistral, Perplexity, TGI, Bedrock, Gemini, Anthropic, Cohere, xAI, Fireworks and the gateways before them.
 * Each takes time linear in the text.
 */
const WORDS: readonly RegExp[] = [
  /\b(maximum|max) (context|model|prompt) (length|size|window)\b.{0,3}\d/i,
  /\b(maximum|max) (context|model|prompt) (length|size|window) (is|of|by) \d/i,
  /\d maximum context (length|size|window)\b/i,
  /\bexceed(s|ed)? (the |its |this )?(model's )?(available |maximum |max )?context (length|size|window|limit)/i,
  /\bcontext length of only \d/i,
  /\b(prompt|input|conversation) (is )?too long\b/i,
  /\btoo many (input )?tokens\b/i,
  /\binput token count\b.{0,40}\bexceeds the maximum\b/i,
  /`inputs` (tokens \+ `max_new_tokens` must be <=|must have less than) \d/i,
  /\bmax_tokens must be at least 1, got -\d/i,
];

/** Whether an error's message says that the context is full. */
export function saysContextIsFull(message: string): boolean {
  return WORDS.some((words) => words.test(message));
}
