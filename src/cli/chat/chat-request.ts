import type { HeaderValue } from '../../ports/kafka.ts';
import type { Tool } from '../options/tool.ts';
import { parseRequestBody } from './request-body.ts';

/** The parts of a chat request, from the command line. */
export interface ChatFlags {
  readonly model?: string;
  readonly system?: string;
  readonly conversation?: string;
  readonly tenant?: string;
  readonly file?: string;
  readonly temperature?: number;
  readonly maxTokens?: number;
}

/** A request as it is published: a Chat Completions body, with our fields in headers. */
export interface PublishedRequest {
  readonly value: Buffer;
  readonly headers: Readonly<Record<string, HeaderValue>>;
}

/**
 * Makes the record of a request from a text, a file, or both. With both, the text is the last message.
 *
 * @throws if there is neither, or the file is not a JSON object
 */
export async function chatRequest(
  tool: Tool,
  requestId: string,
  text: string | undefined,
  flags: ChatFlags,
): Promise<PublishedRequest> {
  const file = flags.file === undefined ? null : await readAll(tool, flags.file, '--file');
  const body = file === null ? {} : parseRequestBody(flags.file ?? '', file);
  const said = text === '-' ? await readAll(tool, '-', 'text') : text;
  if (said === '') throw new Error('the text is empty');
  if (said === undefined && flags.file === undefined)
    throw new Error('give a text, "-" for standard input, or a request’s file (--file)');
  const { model, temperature, maxTokens, system } = flags;
  const changes = {
    ...(model !== undefined && { model }),
    ...(temperature !== undefined && { temperature }),
    ...(maxTokens !== undefined && withLimit(body, maxTokens)),
    ...((said !== undefined || system !== undefined) && { messages: messagesOf(body, said, system) }),
  };
  // Without changes, the file is published byte for byte, so that numbers keep their digits.
  const isUnchanged = file !== null && Object.keys(changes).length === 0;
  return {
    value: Buffer.from(isUnchanged ? file : JSON.stringify({ ...body, ...changes })),
    headers: {
      'request-id': requestId,
      ...(flags.tenant !== undefined && { 'tenant-id': flags.tenant }),
      ...(flags.conversation !== undefined && { 'conversation-id': flags.conversation }),
    },
  };
}

/** Uses the name that the file uses. The service sends the one that the model accepts. */
function withLimit(body: Record<string, unknown>, maxTokens: number): Record<string, unknown> {
  return {
    [body['max_completion_tokens'] === undefined ? 'max_tokens' : 'max_completion_tokens']: maxTokens,
  };
}

function messagesOf(body: Record<string, unknown>, said?: string, system?: string): unknown[] {
  const messages = Array.isArray(body['messages']) ? body['messages'] : [];
  return [
    ...(system === undefined ? [] : [{ role: 'system', content: system }]),
    ...messages,
    ...(said === undefined ? [] : [{ role: 'user', content: said }]),
  ];
}

async function readAll(tool: Tool, path: string, option: string): Promise<string> {
  const decoder = new TextDecoder();
  const limit = tool.config.limits.recordMaxBytes;
  let text = '';
  for await (const piece of tool.openFile(path, option)) {
    text += typeof piece === 'string' ? piece : decoder.decode(piece, { stream: true });
    if (text.length > limit)
      throw new Error(`${option} ${path} is larger than a record may be (RECORD_MAX_BYTES, ${limit} bytes)`);
  }
  return (text + decoder.decode()).replace(/\r?\n$/, '');
}
