/** Receives one line of text per progress message. */
export type OnProgress = (line: string) => void;

const REMIND_EVERY_MS = 5_000;

/** Runs a step that may take long. Reports its start, its progress every few seconds and its duration. */
export async function withProgress<T>(
  onProgress: OnProgress,
  step: string,
  work: () => Promise<T>,
): Promise<T> {
  const startedAt = Date.now();
  const seconds = () => ((Date.now() - startedAt) / 1000).toFixed(1);
  onProgress(`${step} …`);
  const reminder = setInterval(
    () => onProgress(`${step} … still running after ${seconds()} s`),
    REMIND_EVERY_MS,
  );
  try {
    const result = await work();
    onProgress(`${step}: done in ${seconds()} s`);
    return result;
  } finally {
    clearInterval(reminder);
  }
}
