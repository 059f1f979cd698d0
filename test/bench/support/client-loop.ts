import { obey } from './child-commands.ts';
import type { ClientLoopPlan, ClientLoopWindow } from './plans.ts';

/** Makes calls continuously, the given number at a time, and counts the answers between `begin` and `end`. */
export function runClientLoop(plan: ClientLoopPlan, callOnce: () => Promise<string>): void {
  let responses = 0;
  let window = { since: 0, responses: 0 };
  const again = async () => {
    for (;;) {
      const text = await callOnce();
      if (text.length === 0) throw new Error('an answer without text');
      responses += 1;
    }
  };
  for (let index = 0; index < plan.concurrency; index += 1) {
    again().catch((error: unknown) => {
      process.stderr.write(`client loop: ${String(error)}\n`);
      process.exit(1);
    });
  }
  obey({
    begin() {
      window = { since: performance.now(), responses };
    },
    end: (): ClientLoopWindow => ({
      responses: responses - window.responses,
      elapsedMs: performance.now() - window.since,
    }),
  });
}
