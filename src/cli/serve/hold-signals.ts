/** The signals that request an orderly stop. */
const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

/** The part of the process that is used. */
export interface SignalSource {
  on(signal: (typeof SIGNALS)[number], listener: (signal: string) => void): unknown;
}

/**
 * Keeps signals that arrive before there is a listener. Without a listener a signal kills the process, or is ignored if the process is
 * the first one of a container.
 *
 * @returns registers the listener, which gets the kept signals at once
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
