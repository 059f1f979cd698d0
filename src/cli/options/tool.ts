import type { Config, Environment } from '../../config/load-config.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Telemetry } from '../../telemetry/start.ts';

/** What a command beside the service works with. */
export interface Tool {
  readonly config: Config;
  readonly logger: Logger;
  print(text: string): void;
  /** Prints, and resolves when there is room for more: for output without bounds. */
  printPage(text: string): Promise<void>;
  printError(text: string): void;
  /**
   * @param option which option or argument named it, for the message
   * @throws when it cannot be read, naming both
   */
  readFile(path: string, option?: string): string;
  /** Its bytes as they come; `-` is standard input. Throws as `readFile`. */
  openFile(path: string, option?: string): AsyncIterable<string | Uint8Array>;
}

/** What the commands need of the process that they run in. */
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
  /** Whether standard input is a terminal; a pipe or a file otherwise. */
  readonly isTerminal?: boolean;
  onSignal(listener: (signal: string) => void): void;
  onUncaught(listener: (error: unknown) => void): void;
  /** Ends the process without waiting for anything. */
  exitNow(code: number): void;
}
