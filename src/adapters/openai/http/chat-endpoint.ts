import type OpenAI from 'openai';
import { APIConnectionError } from 'openai';
import { ChatFailure } from '../../../domain/failures/chat-failure.ts';
import type { HttpAnswer, HttpTransport } from './http-transport.ts';

/** What is the same in each call. */
interface Envelope {
  readonly url: URL;
  readonly headers: readonly string[];
}

/**
 * `POST /chat/completions`. The SDK makes its address and headers (key, organization, project, user agent), and makes them once:
 * they are the same for each call, and the SDK takes more processor time for them than decoding the whole answer takes.
 */
export class ChatEndpoint {
  readonly #client: OpenAI;
  readonly #transport: HttpTransport;
  #envelope: Promise<Envelope> | null = null;

  constructor(client: OpenAI, transport: HttpTransport) {
    this.#client = client;
    this.#transport = transport;
  }

  /**
   * Sends one call.
   *
   * @param onSent called when there is a connection, right before the call is written to it
   * @throws `APIConnectionError` with the cause, when there is no answer; `ChatFailure` of the transport; the signal's reason
   */
  async post(
    body: object,
    clientRequestId: string,
    signal: AbortSignal,
    onSent: () => void,
  ): Promise<HttpAnswer> {
    this.#envelope ??= this.#buildEnvelope();
    const { url, headers } = await this.#envelope;
    const request = {
      method: 'POST' as const,
      url,
      headers: [...headers, 'x-client-request-id', headerText(clientRequestId)],
      body: JSON.stringify(body),
      onSent,
    };
    try {
      return await this.#transport.send(request, signal);
    } catch (error) {
      if (error instanceof ChatFailure || (signal.aborted && error === signal.reason)) throw error;
      throw new APIConnectionError({ cause: error instanceof Error ? error : new Error(String(error)) });
    }
  }

  async #buildEnvelope(): Promise<Envelope> {
    const { url, req } = await this.#client.buildRequest({
      method: 'post',
      path: '/chat/completions',
      body: {},
    });
    return { url: new URL(url), headers: [...req.headers].flat() };
  }
}

/** A header's value is visible ASCII, at most 512 characters for this one. */
function headerText(text: string): string {
  return text.replace(/[^\x21-\x7e]/g, '_').slice(0, 512);
}
