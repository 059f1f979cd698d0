import { z } from 'zod';

const messageSchema = z.looseObject({
  role: z.string(),
  content: z.union([z.string(), z.array(z.looseObject({ type: z.string() }))]).nullish(),
  tool_calls: z.array(z.looseObject({})).nullish(),
});

const toolSchema = z.looseObject({
  type: z.string(),
  function: z
    .looseObject({ name: z.string(), description: z.string().optional(), parameters: z.unknown().optional() })
    .optional(),
});

const requestSchema = z.looseObject({
  model: z.string().min(1),
  messages: z.array(messageSchema).min(1),
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().optional() }).nullish(),
  n: z.number().int().min(1).max(128).nullish(),
  tools: z.array(toolSchema).nullish(),
  tool_choice: z.unknown().optional(),
  response_format: z.looseObject({ type: z.string() }).nullish(),
  max_tokens: z.number().int().positive().nullish(),
  max_completion_tokens: z.number().int().positive().nullish(),
  service_tier: z.string().nullish(),
});

/** The members of a Chat Completions request that the stand-in looks at; all others are let through. */
export type ChatRequest = z.infer<typeof requestSchema>;
export type ChatMessage = ChatRequest['messages'][number];
export type ChatTool = z.infer<typeof toolSchema>;

/** A request that the real service would answer with 400. */
export class BadRequest extends Error {
  override readonly name = 'BadRequest';
  readonly param: string | null;

  constructor(message: string, param: string | null) {
    super(message);
    this.param = param;
  }
}

/** @throws BadRequest with OpenAI's way of naming the parameter: `messages[2].role` */
export function parseChatRequest(body: string): ChatRequest {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    throw new BadRequest('We could not parse the JSON body of your request.', null);
  }
  const result = requestSchema.safeParse(json);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const path = (issue?.path ?? []).map((part) =>
    typeof part === 'number' ? `[${part}]` : `.${String(part)}`,
  );
  const param = path.join('').replace(/^\./, '') || null;
  throw new BadRequest(
    `Invalid value for '${param ?? 'body'}': ${issue?.message ?? 'not a request'}.`,
    param,
  );
}

/** The text of a message, its text parts joined. */
export function messageText(message: ChatMessage | undefined): string {
  if (message === undefined || message.content == null) return '';
  if (typeof message.content === 'string') return message.content;
  return message.content.map((part) => (typeof part['text'] === 'string' ? part['text'] : '')).join('');
}

/** The last message with the role `user`, or undefined. */
export function lastUserMessage(request: ChatRequest): ChatMessage | undefined {
  return request.messages.findLast((message) => message.role === 'user');
}

/** The most tokens that one choice may have, or infinity. */
export function tokenLimit(request: ChatRequest): number {
  return request.max_completion_tokens ?? request.max_tokens ?? Number.POSITIVE_INFINITY;
}

/** A deterministic stand-in for tokenizing: one per word, 85 per other part, and the usual overheads. */
export function countPromptTokens(request: ChatRequest): number {
  let tokens = 3;
  for (const message of request.messages) {
    tokens += 3 + countWords(messageText(message));
    if (Array.isArray(message.content))
      tokens += 85 * message.content.filter((part) => part.type !== 'text').length;
    if (message.tool_calls) tokens += Math.ceil(JSON.stringify(message.tool_calls).length / 4);
  }
  if (request.tools?.length) tokens += 9 + Math.ceil(JSON.stringify(request.tools).length / 4);
  return tokens;
}

function countWords(text: string): number {
  return text.match(/\S+/g)?.length ?? 0;
}
