import { type ChatRequest, lastUserMessage, messageText } from './chat-request.ts';
import { findScripts, type Script } from './script.ts';

const REMEMBERED_REQUESTS = 100_000;

/** Chooses the script of a call: the one in the last user message, else the default one, else none. */
export class ScriptSource {
  #defaultScripts: Script[] | undefined;
  /** How many calls of a request were seen; the oldest are forgotten, so that a long run stays flat. */
  readonly #callsSeen = new Map<string, number>();

  setDefault(scripts: Script[] | undefined): void {
    this.#defaultScripts = scripts;
  }

  /** Starts every list of scripts from its beginning again. */
  forgetCalls(): void {
    this.#callsSeen.clear();
  }

  /**
   * The script for the next call of this request; the last of a list repeats.
   *
   * @param requestId what makes two calls the same request; without one the message text does
   * @throws ScriptError when the message holds a script that cannot be followed
   */
  next(request: ChatRequest, requestId: string | null): Script | undefined {
    const text = messageText(lastUserMessage(request));
    const scripts = findScripts(text) ?? this.#defaultScripts;
    if (scripts === undefined || scripts.length === 1) return scripts?.[0];
    const key = requestId === null ? `text:${text}` : `id:${requestId}`;
    const seen = this.#callsSeen.get(key) ?? 0;
    if (seen === 0 && this.#callsSeen.size >= REMEMBERED_REQUESTS) this.#forgetOldest();
    this.#callsSeen.set(key, seen + 1);
    return scripts[Math.min(seen, scripts.length - 1)];
  }

  #forgetOldest(): void {
    for (const key of this.#callsSeen.keys()) {
      this.#callsSeen.delete(key);
      return;
    }
  }
}
