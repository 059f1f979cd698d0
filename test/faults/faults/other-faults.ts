import type { Fault } from '../fault.ts';

/** What happens to the database, the provider and the answers. */
export const otherFaults: readonly Fault[] = [];
