/** Far above what is useful, and low enough that checking any request is cheap. */
export const LIMITS = {
  messages: 4_096,
  /** Of one message. */
  parts: 1_024,
  /** Of one message. */
  toolCalls: 128,
  /** Of one call that a request repeats from a response. */
  callProblems: 1_024,
  /** The provider's limit. */
  tools: 128,
  /** The provider's limit. */
  choices: 128,
  logitBiases: 1_024,
  /** Of one JSON text (a tool's schema, the response's schema, extra parameters). */
  jsonCharacters: 262_144,
  jsonDepth: 64,
  /** Of the name of a tenant, conversation, user, provider or model. Enough for any, and far below a record. */
  nameCharacters: 1_024,
  /** Found in one request. The check stops after them. */
  problems: 1_000,
  /** Characters of a caller's name inside a problem's path. */
  nameInPath: 64,
  /** Of a JSON request, in which such texts are nested objects. */
  bodyDepth: 72,
  /** Of a JSON request: objects, arrays, members and items together. */
  bodySize: 100_000,
  /** Of a JSON request, labels included. */
  headers: 16_384,
} as const;
