import { type GenericContainer, getContainerRuntimeClient, type StartedTestContainer } from 'testcontainers';
import type { ServerRunner } from './server-runner.ts';

const STOP_PATIENCE_SECONDS = 30;

/** Runs a server as a container, which keeps its file system across restarts. */
export function containerRunner(definition: GenericContainer): ServerRunner {
  let started: StartedTestContainer | undefined;

  const container = async () => {
    if (started === undefined) throw new Error('the container was never started');
    return (await getContainerRuntimeClient()).container.getById(started.getId());
  };
  const isRunning = async () => started !== undefined && (await (await container()).inspect()).State.Running;

  return {
    start: async () => {
      if (started === undefined) started = await definition.start();
      else await (await container()).start();
    },
    end: async (signal) => {
      if (!(await isRunning())) return;
      const running = await container();
      if (signal === 'SIGTERM') await running.stop({ t: STOP_PATIENCE_SECONDS });
      else await running.kill();
      await running.wait();
    },
    isRunning,
    close: async () => {
      await started?.stop();
    },
  };
}
