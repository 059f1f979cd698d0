/** One server of a test, as a child process or a container. It can be restarted with the same data. */
export interface ServerRunner {
  /** Starts the server. Resolves when it runs, which is before it answers. */
  start(): Promise<void>;
  /** Sends the signal and resolves when the server has exited. Does nothing if it has already exited. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  /** Whether the server runs now. */
  isRunning(): Promise<boolean>;
  /** Stops the server for good and removes everything it kept outside its data folder. */
  close(): Promise<void>;
}
