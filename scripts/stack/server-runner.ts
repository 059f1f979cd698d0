/** One server of a test, run again and again with the same data: a child process or a container. */
export interface ServerRunner {
  /** Starts it; resolves when it runs, which is before it answers. */
  start(): Promise<void>;
  /** Sends the signal and resolves when the server is gone. Does nothing to one that is gone. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  /** Whether it runs now. */
  isRunning(): Promise<boolean>;
  /** Ends it for good; what it kept outside its data folder goes too. */
  close(): Promise<void>;
}
