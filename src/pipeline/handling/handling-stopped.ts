/** Why running requests were ended without an outcome: they will be delivered again. */
export class HandlingStopped extends Error {
  override readonly name = 'HandlingStopped';
}
