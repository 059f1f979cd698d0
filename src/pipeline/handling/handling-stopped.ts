/** Ends running requests without an outcome. They will be redelivered. */
export class HandlingStopped extends Error {
  override readonly name = 'HandlingStopped';
}
