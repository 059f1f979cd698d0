/** The messages of a request with one question. */
export const ask = (content: string) => [{ role: 'user', content }];

/** One choice of a chunk. */
export const delta = (members: object, choice: object = {}) => ({
  index: 0,
  delta: members,
  finish_reason: null,
  ...choice,
});

/** The choice that ends a stream. */
export const finish = (finishReason: string, members: object = {}, choice: object = {}) =>
  delta(members, { finish_reason: finishReason, ...choice });

/** One choice of a whole answer. */
export const message = (members: object, choice: object = {}) => ({
  index: 0,
  message: { role: 'assistant', ...members },
  finish_reason: 'stop',
  ...choice,
});

/** A call of a function, as a whole or as the first piece of it. */
export const functionCall = (id: string, name: string, args: string, more: object = {}) => ({
  id,
  type: 'function',
  function: { name, arguments: args },
  ...more,
});

/** The usual three counts. */
export const tokens = (prompt: number, completion: number, more: object = {}) => ({
  prompt_tokens: prompt,
  completion_tokens: completion,
  total_tokens: prompt + completion,
  ...more,
});

export const weather = {
  type: 'function',
  function: {
    name: 'get_weather',
    description: 'The weather in a city',
    parameters: {
      type: 'object',
      properties: { city: { type: 'string' }, unit: { type: 'string', enum: ['c', 'f'] } },
      required: ['city'],
    },
  },
};

export const time = {
  type: 'function',
  function: { name: 'get_time', parameters: { type: 'object', properties: {} } },
};

/** A form of the answer with two required members. */
export const person = {
  type: 'json_schema',
  json_schema: {
    name: 'person',
    strict: true,
    schema: {
      type: 'object',
      properties: { name: { type: 'string' }, age: { type: 'integer' } },
      required: ['name', 'age'],
      additionalProperties: false,
    },
  },
};
