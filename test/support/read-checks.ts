import type { Check } from '../../src/adapters/http/health-server.ts';

/** Asks `/readyz` until its checks are as they should be. @returns them by name */
export async function readChecks(
  port: number,
  isRight: (checks: ReadonlyMap<string, Check>) => boolean,
): Promise<ReadonlyMap<string, Check>> {
  for (;;) {
    const response = await fetch(`http://127.0.0.1:${port}/readyz`);
    const { checks } = (await response.json()) as { checks: Check[] };
    const byName = new Map(checks.map((check) => [check.name, check]));
    if (isRight(byName)) return byName;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
