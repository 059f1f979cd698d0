/**
 * How servers say, in words alone, that prompt and output do not fit into the context: OpenAI, Azure OpenAI, vLLM, Ollama,
 * llama.cpp, LM Studio, Mistral, Perplexity, TGI, Bedrock, Gemini, Anthropic, Cohere, xAI, Fireworks and the gateways before them.
 * Each takes time linear in the text.
 */
const WORDS: readonly RegExp[] = [
  /\b(?:maximum|max) (?:context|model|prompt) (?:length|size|window) (?:is|of|by)?\W{0,3}\d/i,
  /\bcontext length of only \d/i,
  /\bmax_tokens must be at least 1, got -\d/i,
  // OpenAI, Azure, DeepSeek, OpenRouter, vLLM, Mistral, xAI.
  /\bmaximum (?:context|prompt|input) (?:length|size|window|limit)\b/i,
  // llama.cpp, Ollama, SGLang, Anthropic: exceeds the available context size, exceeded max context length by.
  /\bexceed(?:s|ed|ing)?\b[^\n]{0,60}\b(?:context (?:length|size|window|limit)|model token limit)\b/i,
  /\bcontext (?:length|size|window|limit) (?:was |is |has been )?exceed/i,
  // Gemini, Bedrock, Perplexity: the input token count exceeds the maximum number of tokens.
  /\b(?:prompt|input|messages?|tokens) ?[^\n[\]]{0,80}\bexceed(?:s|ed|ing)?\b[^\n]{0,40}\b(?:maximum (?:number of )?(?:input )?tokens|max(?:imum)? length|tokens? limit|(?:limit|maximum) of \d+)/i,
  /\binput tokens? (?:count )?exceed/i,
  /\binput token count is \d+ but (?:the )?model only supports\b/i,
  /\btoo many (?:input |prompt )?tokens\b/i,
  // Bedrock, Anthropic, Ollama, Fireworks.
  /\b(?:prompt|input|context|conversation|inputs|messages) (?:is |are |was |were )?too long\b/i,
  // vLLM, SGLang, LM Studio.
  /\b(?:longer|greater|larger) than (?:the )?(?:model's |maximum )*(?:context|model) length\b/i,
  /\btoo long to fit into the model\b/i,
  /\btokens when context (?:the )?overflows\b/i,
  // Text Generation Inference.
  /\binputs`? (?:tokens \+ `?max_new_tokens`? )?must (?:be <=?|have less than) \d/i,
  // Groq, Cerebras, Qwen, GitHub Models.
  /\breduce the length of (?:the |your )?(?:messages|prompt|input)\b/i,
  /\brange of input length should be\b/i,
  /\bbody too large for [^\n]{1,80}\bmax size: \d+ tokens/i,
];

/** Whether an error's message says that the context is full. */
export function saysContextIsFull(message: string): boolean {
  return WORDS.some((words) => words.test(message));
}
