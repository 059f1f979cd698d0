import { type TcpSwitch, tcpSwitch } from './tcp-switch.ts';

/** The proxies between one worker and some servers. */
export interface ReroutedWorker {
  /** Environment of the worker. */
  readonly env: Readonly<Record<string, string>>;
  /** Nothing arrives in either direction, and no connection ends. */
  silence(): void;
  speak(): void;
  /** Ends all connections; new ones are refused. */
  cut(): Promise<void>;
  /** Accepts connections again. */
  join(): Promise<void>;
  /** How many connections there have been. */
  readonly accepted: number;
  close(): Promise<void>;
}

/** @param ports of the servers on this machine, which only this worker reaches through a proxy */
export async function rerouted(ports: readonly number[]): Promise<ReroutedWorker> {
  const ways: TcpSwitch[] = [];
  const routes: Record<string, number> = {};
  for (const port of ports) {
    const way = await tcpSwitch(port);
    ways.push(way);
    routes[String(port)] = way.port;
  }
  const preload = new URL('./reroute.ts', import.meta.url).href;
  return {
    env: {
      NODE_OPTIONS: `${process.env['NODE_OPTIONS'] ?? ''} --import=${preload}`.trim(),
      TEST_REROUTED_PORTS: JSON.stringify(routes),
    },
    silence: () => {
      for (const way of ways) way.silence();
    },
    speak: () => {
      for (const way of ways) way.speak();
    },
    cut: async () => {
      for (const way of ways) await way.cut();
    },
    join: async () => {
      for (const way of ways) await way.join();
    },
    get accepted() {
      return ways.reduce((sum, way) => sum + way.accepted, 0);
    },
    close: async () => {
      for (const way of ways) await way.cut();
    },
  };
}
