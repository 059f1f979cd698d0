import { Big } from 'big.js';

/** A value of LiteLLM's file; its numbers are exact. */
export type LiteLlmValue = Big | string | boolean | null | LiteLlmValue[] | LiteLlmObject;
export interface LiteLlmObject {
  readonly [key: string]: LiteLlmValue;
}

/** Whether a value is an object of members. */
export function isObject(value: LiteLlmValue | undefined): value is LiteLlmObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Big);
}
