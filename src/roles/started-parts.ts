import type { Logger } from '../runtime/logger.ts';

/** Started resources, to be closed in the opposite order. */
export class StartedParts {
  private readonly closers: (() => Promise<void>)[] = [];
  private readonly logger: Logger;

  constructor(logger: Logger) {
    this.logger = logger;
  }

  /** Registers a resource with its close function. @returns the resource */
  add<T>(part: T, close: () => unknown): T {
    this.closers.unshift(async () => {
      await close();
    });
    return part;
  }

  /** Closes all, the last one first. An error does not keep the others from closing. */
  async close(): Promise<void> {
    for (const close of this.closers.splice(0)) {
      await close().catch((error: unknown) =>
        this.logger.warn({ err: error }, 'a resource of the role could not be closed'),
      );
    }
  }
}
