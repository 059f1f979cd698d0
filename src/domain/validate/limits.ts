/** Far above what is useful, and low enough that looking at a request, whatever is in it, costs next to nothing. */
export const LIMITS = {
  messages: 4_096,
  /** Of one message. */
  parts: 1_024,
  /** Of one message. */
  toolCalls: 128,
  /** Of one call that a response told and a request sends back. */
  callProblems: 1_024,
  /** What the provider takes. */
  tools: 128,
  /** What the provider takes. */
  choices: 128,
  logitBiases: 1_024,
  /** Of one JSON text (a tool's schema, the response's schema, extra parameters). */
  jsonCharacters: 262_144,
  jsonDepth: 64,
  /** Of the name of a tenant, conversation, user, provider or model: enough for any, and far below a record. */
  nameCharacters: 1_024,
  /** Found in one request; what is beyond them is not looked for. */
  problems: 1_000,
  /** Characters of a name that somebody chose, where it is part of a problem's path. */
  nameInPath: 64,
  /** Of a JSON request, in which such texts are objects some levels down. */
  bodyDepth: 72,
  /** Of a JSON request: objects, arrays, members and items together. */
  bodySize: 100_000,
  /** Of a JSON request. Labels are among them. */
  headers: 16_384,
} as const;
