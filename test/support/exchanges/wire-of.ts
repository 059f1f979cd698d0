import { events } from './exchange-world.ts';

/**
 * The usual answers of one provider.
 *
 * @param head what each chunk and each whole answer repeats
 */
export const wireOf = (head: object) => {
  const chunk = (model: string, choices: object | readonly object[], more: object = {}) => ({
    ...head,
    object: 'chat.completion.chunk',
    model,
    choices: [choices].flat(),
    ...more,
  });
  return {
    chunk,
    /** Each choice in a chunk of its own, the usage in one without a choice, then `[DONE]`. */
    streamed: (model: string, choices: readonly object[], usage: object) =>
      events(...choices.map((choice) => chunk(model, choice)), chunk(model, [], { usage }), '[DONE]'),
    whole: (model: string, choices: object | readonly object[], usage: object, more: object = {}) =>
      JSON.stringify({
        ...head,
        object: 'chat.completion',
        model,
        choices: [choices].flat(),
        usage,
        ...more,
      }),
  };
};

/** The usual answers of one model. */
export const wireOfModel = (model: string, head: object) => {
  const wire = wireOf(head);
  return {
    chunk: (choices: object | readonly object[], more?: object) => wire.chunk(model, choices, more),
    streamed: (choices: readonly object[], usage: object) => wire.streamed(model, choices, usage),
    whole: (choices: object | readonly object[], usage: object, more?: object) =>
      wire.whole(model, choices, usage, more),
  };
};
