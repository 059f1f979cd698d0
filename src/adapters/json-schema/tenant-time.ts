/** What a tenant's slow checks may have have used up before no more are made. */
const MOST_MS = 1_000;
/** How much of each second is forgiven. */
const FORGIVEN_MS_PER_SECOND = 100;
const MAX_TENANTS = 10_000;

interface Account {
  usedMs: number;
  atMs: number;
}

/** Keeps a tenant whose schemas are always new and always slow from having the process at work without a pause. */
export class TenantTime {
  /** In the order of their last charge, the oldest first. */
  readonly #accounts = new Map<string, Account>();

  charge(tenantId: string, slowMs: number, nowMs: number): void {
    if (slowMs <= 0) return;
    const usedMs = this.#used(tenantId, nowMs) + slowMs;
    this.#accounts.delete(tenantId);
    this.#accounts.set(tenantId, { usedMs, atMs: nowMs });
    for (const [oldest] of this.#accounts) {
      if (this.#accounts.size <= MAX_TENANTS) break;
      this.#accounts.delete(oldest);
    }
  }

  /** Whether something of it was slow lately. */
  isSlow(tenantId: string, nowMs: number): boolean {
    return this.#used(tenantId, nowMs) > 0;
  }

  isUsedUp(tenantId: string, nowMs: number): boolean {
    return this.#used(tenantId, nowMs) >= MOST_MS;
  }

  #used(tenantId: string, nowMs: number): number {
    const account = this.#accounts.get(tenantId);
    if (account === undefined) return 0;
    const usedMs = account.usedMs - ((nowMs - account.atMs) * FORGIVEN_MS_PER_SECOND) / 1_000;
    if (usedMs <= 0) this.#accounts.delete(tenantId);
    return Math.max(0, usedMs);
  }
}
