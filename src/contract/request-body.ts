import type { ChatRequest, Problem } from './record-types.ts';

/** What no provider's request body has: it comes in the record's headers. */
export type HeaderField =
  | 'requestId'
  | 'tenantId'
  | 'conversationId'
  | 'userId'
  | 'provider'
  | 'fallbackModels'
  | 'history'
  | 'restartOnBreak'
  | 'deadline'
  | 'maxCost'
  | 'maxCostCurrency'
  | 'labels';

export type BodyFields = Omit<ChatRequest, HeaderField>;

export interface ReadBody {
  /** What could be read; a field is as good as absent where there is a problem. */
  readonly fields: BodyFields;
  /** By the paths of the body. `wrong_type`: a member is there and could not be read. */
  readonly problems: readonly Problem[];
}

/** Reads the JSON object that a provider's API takes as a request. Pure; does not throw, whatever is in it. */
export type BodyReader = (body: Readonly<Record<string, unknown>>) => ReadBody;
