import type { Answer } from './answer.ts';
import type { ChatRequest } from './chat-request.ts';
import type { Script } from './script.ts';

/** What every chunk of an answer, and the whole of an unstreamed one, repeats. */
interface Envelope {
  id: string;
  object: string;
  created: number;
  model: string;
  service_tier: string;
  system_fingerprint: string;
}

const FINGERPRINT = 'fp_standin0001';

function envelope(request: ChatRequest, script: Script, id: string, object: string): Envelope {
  return {
    id,
    object,
    created: Math.floor(Date.now() / 1000),
    model: script.model ?? request.model,
    service_tier: script.serviceTier ?? servedTier(request.service_tier),
    system_fingerprint: FINGERPRINT,
  };
}

/** The tier that is served for a requested one: auto is standard, and fast is an old name of priority. */
function servedTier(requested: string | null | undefined): string {
  if (requested == null || requested === 'auto') return 'default';
  return requested === 'fast' ? 'priority' : requested;
}

/** The SSE texts of one stream. Only the token changes between chunks, so what surrounds it is built once. */
export class ChunkFormat {
  readonly #answer: Answer;
  readonly #lineEnd: string;
  readonly #comment: string;
  readonly #head: string;
  readonly #tail: string;
  readonly #envelope: Envelope;
  readonly #includeUsage: boolean;

  constructor(request: ChatRequest, script: Script, answer: Answer, id: string) {
    this.#answer = answer;
    this.#lineEnd = script.crlf ? '\r\n' : '\n';
    this.#comment = script.comments ? `: keep-alive${this.#lineEnd}${this.#lineEnd}` : '';
    this.#includeUsage = request.stream_options?.include_usage === true;
    this.#envelope = envelope(request, script, id, 'chat.completion.chunk');
    this.#head = `${JSON.stringify(this.#envelope).slice(0, -1)},"choices":[`;
    this.#tail = this.#includeUsage ? '],"usage":null}' : ']}';
  }

  role(): string {
    if (!this.#answer.hasRoleChunk) return '';
    const content = this.#answer.contentOf(0) === null ? 'null' : '""';
    return this.#perChoice(() => `{"role":"assistant","content":${content},"refusal":null}`, 'null');
  }

  step(step: number): string {
    const whole = this.#answer.wholeChunkAt(step);
    if (whole !== undefined)
      return this.#comment + this.event(JSON.stringify({ ...this.#envelope, ...whole }));
    return this.#comment + this.#perChoice((choice) => this.#answer.deltaAt(choice, step), 'null');
  }

  /** Finish chunk, usage chunk and `[DONE]`, as far as the request and the script want them. */
  finish(): string {
    const { finishReason, usage } = this.#answer;
    let text = finishReason === null ? '' : this.#perChoice(() => '{}', JSON.stringify(finishReason));
    if (this.#includeUsage && usage !== undefined) {
      text += this.event(`${this.#head}],"usage":${JSON.stringify(usage)}}`);
    }
    return text + this.event('[DONE]');
  }

  /** A chunk that breaks off in the middle of its JSON. */
  malformed(): string {
    return this.event(`${this.#head}{"index":0,"delta":{"content":"brok`);
  }

  event(data: string): string {
    return `data: ${data}${this.#lineEnd}${this.#lineEnd}`;
  }

  #perChoice(delta: (choice: number) => string, finishReason: string): string {
    let text = '';
    for (let choice = 0; choice < this.#answer.choices; choice += 1) {
      const body = `{"index":${choice},"delta":${delta(choice)},"logprobs":null,"finish_reason":${finishReason}}`;
      text += this.event(this.#head + body + this.#tail);
    }
    return text;
  }
}

/** The body of an answer that is not streamed. */
export function completionBody(request: ChatRequest, script: Script, answer: Answer, id: string): string {
  const toolCalls = answer.toolCalls.map((call) => ({
    id: call.id,
    type: 'function',
    function: { name: call.name, arguments: call.arguments },
  }));
  return JSON.stringify({
    ...envelope(request, script, id, 'chat.completion'),
    choices: Array.from({ length: answer.choices }, (_, index) => ({
      index,
      message: {
        role: 'assistant',
        content: answer.contentOf(index),
        refusal: null,
        ...(toolCalls.length > 0 && { tool_calls: toolCalls }),
        annotations: [],
      },
      logprobs: null,
      finish_reason: answer.finishReason,
    })),
    ...(answer.usage !== undefined && { usage: answer.usage }),
  });
}
