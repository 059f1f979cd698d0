import type { Check } from '../adapters/http/health-server.ts';

/** Remembers when the result of each check last changed. */
export class CheckHistory {
  private readonly known = new Map<string, { readonly ok: boolean; readonly since: number }>();

  /**
   * @param now epoch ms
   * @returns the checks, each with its `since`; one that brings its own keeps it
   */
  note(checks: readonly Check[], now: number): Check[] {
    return checks.map((check) => {
      const before = this.known.get(check.name);
      const since = before?.ok === check.ok ? before.since : now;
      this.known.set(check.name, { ok: check.ok, since });
      return { since: new Date(since).toISOString(), ...check };
    });
  }
}
