/** Environment of a process whose wall clock is ahead (behind: negative), while its timers are right. */
export function clockAhead(aheadMs: number): Record<string, string> {
  const preload = new URL('./clock-ahead.mjs', import.meta.url).href;
  return {
    CLOCK_AHEAD_MS: String(aheadMs),
    NODE_OPTIONS: `${process.env['NODE_OPTIONS'] ?? ''} --import=${preload}`.trim(),
  };
}
