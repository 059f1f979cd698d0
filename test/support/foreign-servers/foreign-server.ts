/** What can be provoked on a server, each with its prompt. */
export type Fault = '401' | '429' | '500' | 'broken connection' | 'cut answer';

/** A third-party server of OpenAI's Chat Completions API. */
export interface ForeignServer {
  readonly name: string;
  /** How many calls it may get at once. */
  readonly concurrency: number;
  /** What it can be made to do; the suite has no test for the rest. */
  readonly faults: readonly Fault[];
  /** Whether it answers with several tool calls when it is asked for the weather and the time. */
  readonly callsInParallel: boolean;
  /** Tokens per minute that the server enforces. Null: not tested. */
  readonly tokensPerMinute: number | null;
  start(): Promise<RunningServer>;
}

export interface RunningServer {
  /** Ends in /v1, or whatever the server has in its place. */
  readonly baseUrl: string;
  readonly apiKey: string;
  readonly model: string;
  /** Makes the next call fail. @returns the key and the prompt to call it with */
  provoke(fault: Fault): Promise<{ readonly apiKey: string; readonly prompt: string }>;
  close(): Promise<void>;
}
