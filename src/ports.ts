/** What the service needs of the world outside, by what it is needed for. Adapters implement it. */
export * from './ports/budgets.ts';
export * from './ports/catalog.ts';
export * from './ports/clock.ts';
export * from './ports/kafka.ts';
export * from './ports/ledger.ts';
export * from './ports/provider.ts';
export * from './ports/schemas.ts';
export * from './ports/tokens.ts';
