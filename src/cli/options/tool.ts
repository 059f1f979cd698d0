import type { Config, Environment } from '../../config/load-config.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Telemetry } from '../../telemetry/start.ts';

/** The resources of a command other than the service. */
export interface Tool {
  readonly config: Config;
  readonly logger: Logger;
  print(text: string): void;
  /** Prints, and resolves once there is room for more: for output without a limit. */
  printPage(text: string): Promise<void>;
  printError(text: string): void;
  /**
   * @param option the option or argument that named the file, for the message
   * @throws if it cannot be read, naming both
   */
  readFile(path: string, option?: string): string;
  /** The file's bytes as a stream; `-` is standard input. Throws as `readFile` does. */
  openFile(path: string, option?: string): AsyncIterable<string | Uint8Array>;
}

/** What the commands need from their process. */
export interface CommandLine {
  /** Without the program's own path. */
  readonly args: readonly string[];
  readonly env: Environment;
  readonly version: string;
  readonly telemetry: Telemetry;
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
  readonly readFile: (path: string) => string;
  /** `-` is standard input. */
  readonly openFile: (path: string) => AsyncIterable<string | Uint8Array>;
  /** Whether standard input is a terminal and not a pipe or a file. */
  readonly isTerminal?: boolean;
  onSignal(listener: (signal: string) => void): void;
  onUncaught(listener: (error: unknown) => void): void;
  /** Ends the process without waiting for anything. */
  exitNow(code: number): void;
}
