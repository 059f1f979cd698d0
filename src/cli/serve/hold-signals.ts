/** The signals that ask for an orderly end. */
const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

/** What is used of the process. */
export interface SignalSource {
  on(signal: (typeof SIGNALS)[number], listener: (signal: string) => void): unknown;
}

/**
 * Keeps the signals that come before somebody listens. Without a listener a signal kills the process, or is ignored where it
 * is the first one of a container.
 *
 * @returns registers the listener, which gets those that were kept at once
 */
export function holdSignals(source: SignalSource): (listener: (signal: string) => void) => void {
  const kept: string[] = [];
  let tell = (signal: string): void => {
    kept.push(signal);
  };
  for (const name of SIGNALS) source.on(name, (signal) => tell(signal));
  return (listener) => {
    tell = listener;
    for (const signal of kept.splice(0)) listener(signal);
  };
}
