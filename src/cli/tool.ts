import type { Config } from '../config.ts';
import type { Logger } from '../logger.ts';

/** What a command beside the service works with. */
export interface Tool {
  readonly config: Config;
  readonly logger: Logger;
  print(text: string): void;
  readFile(path: string): string;
}
