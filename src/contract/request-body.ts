import type { ChatRequest, Problem } from './record-types.ts';

/** Fields that no provider's request body has. They come in the record's headers. */
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
  /** The readable fields. A field with a problem counts as absent. */
  readonly fields: BodyFields;
  /** By the paths of the body. `wrong_type`: a member is present but could not be read. */
  readonly problems: readonly Problem[];
}

/** Reads the JSON object that a provider's API takes as a request. Pure. Never throws, whatever the object contains. */
export type BodyReader = (body: Readonly<Record<string, unknown>>) => ReadBody;
