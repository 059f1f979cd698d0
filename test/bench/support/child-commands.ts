import type { Plans } from './plans.ts';

/** What this child was told at its start. */
export function planOf<Name extends keyof Plans>(_name: Name): Plans[Name] {
  return JSON.parse(process.argv[2] ?? '{}') as Plans[Name];
}

/** Tells the parent that this child is ready and obeys it from now on; without a parent it ends. */
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
