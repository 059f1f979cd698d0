import type { Usage } from '../../../src/contract/record-types.ts';
import { type CompletionDelta, emptyDelta } from '../../../src/domain/completion/completion-delta.ts';
import { plainUsage } from '../../../src/domain/cost/usage.ts';
import type { RateLimits } from '../../../src/domain/limits/rate-limits.ts';
import type {
  ChatProvider,
  ProviderCall,
  ProviderEvents,
  ProviderStream,
  ServedBy,
} from '../../../src/ports/provider.ts';

/** What a call does next: brings a piece, fails, or says nothing until its signal fires. */
type Step = Partial<ProviderEvents> | Error | 'silence';

export interface CallScript {
  /** Thrown instead of any answer. */
  readonly refuses?: unknown;
  /** There is no connection: the call ends as the script says, and was never sent. */
  readonly neverSent?: boolean;
  /** No answer begins until the signal fires. */
  readonly neverBegins?: boolean;
  readonly steps?: readonly Step[];
  readonly served?: Partial<ServedBy>;
  readonly rateLimits?: RateLimits;
}

/** A provider whose calls follow a script each; the last one goes on for all further calls. */
export class FakeProvider implements ChatProvider {
  readonly name = 'openai';
  readonly account = 'acme-project';
  readonly calls: ProviderCall[] = [];
  /** The signal of each call. */
  readonly signals: AbortSignal[] = [];
  /** Called when a call has nothing more to do until its signal fires. */
  onSilence: () => void = () => undefined;
  private readonly scripts: readonly CallScript[];

  constructor(...scripts: readonly CallScript[]) {
    this.scripts = scripts;
  }

  async stream(call: ProviderCall, signal: AbortSignal): Promise<ProviderStream> {
    this.calls.push(call);
    this.signals.push(signal);
    signal.throwIfAborted();
    const script = this.scripts[Math.min(this.calls.length, this.scripts.length) - 1] ?? {};
    if (script.neverSent !== true) call.onSent?.();
    if (script.neverBegins) await this.silence(signal);
    if (script.refuses !== undefined) throw script.refuses;
    const steps = script.steps ?? [said('Hello'), said(' world', 'stop'), used(100, 50)];
    const silence = () => this.silence(signal);
    return {
      rateLimits: script.rateLimits ?? null,
      served: {
        responseId: `chatcmpl-${this.calls.length}`,
        model: call.model.id,
        serviceTier: null,
        systemFingerprint: 'fp_1',
        moderationJson: null,
        providerRequestId: `req_${this.calls.length}`,
        ...script.served,
      },
      async *[Symbol.asyncIterator]() {
        for (const step of steps) {
          signal.throwIfAborted();
          if (step === 'silence') await silence();
          else if (step instanceof Error) throw step;
          else yield { deltas: step.deltas ?? [], usage: step.usage ?? null };
        }
      },
    };
  }

  private async silence(signal: AbortSignal): Promise<never> {
    return new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      this.onSilence();
    });
  }
}

/** A piece of the first choice with nothing but what is given. */
export function delta(members: Partial<CompletionDelta> = {}): CompletionDelta {
  return { ...emptyDelta(0), ...members };
}

export function said(content: string, finishReason: string | null = null): Partial<ProviderEvents> {
  return { deltas: [delta({ content, finishReason })] };
}

export function used(
  inputTokens: number,
  outputTokens: number,
  details: Partial<Usage> = {},
): Partial<ProviderEvents> {
  return { usage: { ...plainUsage(inputTokens, outputTokens, 'PROVIDER'), ...details } };
}
