import type { Plans } from './plans.ts';

/** The plan that this child received at its start. */
export function planOf<Name extends keyof Plans>(_name: Name): Plans[Name] {
  return JSON.parse(process.argv[2] ?? '{}') as Plans[Name];
}

/** Reports to the parent that this child is ready, and obeys its commands from now on. Exits when the parent is gone. */
export function obey(commands: Readonly<Record<string, () => unknown>>): void {
  process.on('message', (name: string) => {
    Promise.resolve(commands[name]?.()).then(
      (answer) => process.send?.(answer ?? null),
      (error: unknown) => {
        process.stderr.write(`${name}: ${String(error)}\n`);
        process.exit(1);
      },
    );
  });
  process.once('disconnect', () => process.exit(0));
  process.send?.('ready');
}

/** Epoch milliseconds with fractions, as the stand-in's stamps. */
export function preciseNow(): number {
  return performance.timeOrigin + performance.now();
}
