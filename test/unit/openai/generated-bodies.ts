import fc from 'fast-check';

const word = fc.stringMatching(/^[a-zA-Z0-9_-]{1,12}$/);
const text = fc.string({ unit: 'binary', maxLength: 20 }).filter((value) => value.isWellFormed());
const base64 = fc
  .uint8Array({ minLength: 1, maxLength: 9 })
  .map((bytes) => Buffer.from(bytes).toString('base64'));
const maybe = { requiredKeys: [] as never[] };
/** Excludes negative zero, which JSON text does not keep. */
const number = (min: number, max: number) =>
  fc.double({ min, max, noNaN: true }).map((value) => (value === 0 ? 0 : value));
const schema = fc.record({
  type: fc.constant('object'),
  properties: fc.dictionary(word, fc.record({ type: word })),
});

const breakpoint = fc.option(
  fc.record({ mode: fc.constant('explicit'), ttl: word }, { requiredKeys: ['mode'] }),
  { nil: undefined },
);
const withBreakpoint = <T extends object>(part: fc.Arbitrary<T>) =>
  fc
    .tuple(part, breakpoint)
    .map(([one, mark]) => (mark === undefined ? one : { ...one, prompt_cache_breakpoint: mark }));
const textPart = withBreakpoint(fc.record({ type: fc.constant('text'), text }));
const imagePart = withBreakpoint(
  fc.record({
    type: fc.constant('image_url'),
    image_url: fc.record(
      {
        url: fc.oneof(
          fc.webUrl(),
          base64.map((data) => `data:image/png;base64,${data}`),
        ),
        detail: word,
      },
      { requiredKeys: ['url'] },
    ),
  }),
);
const audioPart = withBreakpoint(
  fc.record({
    type: fc.constant('input_audio'),
    input_audio: fc.record({ data: base64, format: fc.constantFrom('wav', 'mp3') }),
  }),
);
const fileData = fc.oneof(
  base64,
  base64.map((data) => `data:application/pdf;base64,${data}`),
);
const filePart = withBreakpoint(
  fc.record({
    type: fc.constant('file'),
    file: fc.oneof(
      fc.record({ file_id: word }),
      fc.record({ file_data: fileData, filename: text }, { requiredKeys: ['file_data'] }),
    ),
  }),
);
const refusalPart = fc.record({ type: fc.constant('refusal'), refusal: text });

const content = (...parts: fc.Arbitrary<object>[]) =>
  fc.oneof(text, fc.array(fc.oneof(...parts), { minLength: 1, maxLength: 4 }));

const called = (id: string) =>
  fc.oneof(
    fc.record({
      id: fc.constant(id),
      type: fc.constant('function'),
      function: fc.record({ name: word, arguments: text }),
    }),
    fc.record({
      id: fc.constant(id),
      type: fc.constant('custom'),
      custom: fc.record({ name: word, input: text }),
    }),
  );
/** Calls and their results, one turn of the conversation. */
const toolTurn = fc
  .uniqueArray(word, { minLength: 1, maxLength: 3 })
  .chain((ids) =>
    fc
      .tuple(
        fc.tuple(...ids.map(called)),
        fc.array(content(textPart), { minLength: ids.length, maxLength: ids.length }),
      )
      .map(([tool_calls, results]) => [
        { role: 'assistant', content: null, tool_calls },
        ...ids.map((id, index) => ({ role: 'tool', tool_call_id: id, content: results[index] })),
      ]),
  );
const speech = fc.oneof(
  fc.record(
    { role: fc.constantFrom('system', 'developer'), content: content(textPart), name: word },
    { requiredKeys: ['role', 'content'] },
  ),
  fc.record(
    { role: fc.constant('user'), content: content(textPart, imagePart, audioPart, filePart), name: word },
    { requiredKeys: ['role', 'content'] },
  ),
  fc.record(
    { role: fc.constant('assistant'), content: content(textPart, refusalPart), name: word, refusal: text },
    { requiredKeys: ['role', 'content'] },
  ),
  fc.record({ role: fc.constant('assistant'), content: fc.constant(null), audio: fc.record({ id: word }) }),
  fc.record({
    role: fc.constant('assistant'),
    content: fc.constant(null),
    function_call: fc.record({ name: word, arguments: text }),
  }),
  fc.record({ role: fc.constant('function'), name: word, content: text }),
);
const turn = speech.map((message): object[] => [message]);
const conversation = (...turns: fc.Arbitrary<object[]>[]) =>
  fc.array(fc.oneof(...turns), { minLength: 1, maxLength: 5 }).map((list) => list.flat());

const functionOf = (name: string) =>
  fc.record({ name: fc.constant(name), description: text, parameters: schema }, { requiredKeys: ['name'] });
const tool = (name: string) =>
  fc.oneof(
    fc.tuple(functionOf(name), fc.option(fc.boolean(), { nil: undefined })).map(([one, strict]) => ({
      type: 'function',
      function: strict === undefined ? one : { ...one, strict },
    })),
    fc.record({
      type: fc.constant('custom'),
      custom: fc.record(
        {
          name: fc.constant(name),
          description: text,
          format: fc.record({
            type: fc.constant('grammar'),
            grammar: fc.record({ syntax: fc.constantFrom('lark', 'regex'), definition: word }),
          }),
        },
        { requiredKeys: ['name'] },
      ),
    }),
  );
const refOf = (one: { type: string; function?: { name: string }; custom?: { name: string } }) =>
  one.type === 'custom'
    ? { type: 'custom', custom: { name: one.custom?.name } }
    : { type: 'function', function: { name: one.function?.name } };

const names = fc.uniqueArray(word, { minLength: 1, maxLength: 3 });
const currentTools = names
  .chain((list) => fc.tuple(...list.map(tool)))
  .chain((tools) => {
    const refs = tools.map((one) => refOf(one as Parameters<typeof refOf>[0]));
    return fc.record(
      {
        tools: fc.constant(tools),
        tool_choice: fc.oneof(
          fc.constantFrom<unknown>('none', 'auto', 'required', ...refs),
          fc.record({
            type: fc.constant('allowed_tools'),
            allowed_tools: fc.record({ mode: fc.constantFrom('auto', 'required'), tools: fc.constant(refs) }),
          }),
        ),
        parallel_tool_calls: fc.boolean(),
      },
      { requiredKeys: ['tools'] },
    );
  });
const olderTools = names
  .chain((list) => fc.tuple(...list.map(functionOf)))
  .chain((functions) =>
    fc.record(
      {
        functions: fc.constant(functions),
        function_call: fc.constantFrom<unknown>('none', 'auto', { name: functions[0]?.name }),
      },
      { requiredKeys: ['functions'] },
    ),
  );

const settings = fc.record(
  {
    temperature: number(0, 2),
    top_p: number(0, 1),
    stop: fc.array(text, { minLength: 1, maxLength: 4 }),
    seed: fc.integer({ min: -9_007_199_254_740_990, max: 9_007_199_254_740_990 }),
    presence_penalty: number(-2, 2),
    frequency_penalty: number(-2, 2),
    logit_bias: fc.dictionary(fc.nat(200_000).map(String), number(-100, 100), { minKeys: 1, maxKeys: 3 }),
    n: fc.integer({ min: 1, max: 128 }),
    reasoning_effort: word,
    verbosity: word,
    service_tier: word,
    prediction: fc.record({
      type: fc.constant('content'),
      content: fc.array(textPart, { minLength: 1, maxLength: 2 }),
    }),
    response_format: fc.oneof(
      fc.record({ type: fc.constantFrom('text', 'json_object') }),
      fc.record({
        type: fc.constant('json_schema'),
        json_schema: fc.record(
          { name: word, description: text, schema, strict: fc.boolean() },
          { requiredKeys: ['name', 'schema'] },
        ),
      }),
    ),
    prompt_cache_key: text,
    prompt_cache_options: fc.record({ mode: word, ttl: word }, { requiredKeys: ['mode'] }),
    prompt_cache_retention: word,
    safety_identifier: text,
    user: text,
    store: fc.boolean(),
    metadata: fc.dictionary(word, text, { minKeys: 1, maxKeys: 4 }),
    moderation: fc.record(
      {
        model: word,
        policy: fc.record(
          { input: fc.record({ mode: word }), output: fc.record({ mode: word }) },
          { requiredKeys: ['input'] },
        ),
      },
      { requiredKeys: ['model'] },
    ),
    web_search_options: fc.record(
      {
        search_context_size: word,
        user_location: fc.record({
          type: fc.constant('approximate'),
          approximate: fc.record(
            { city: text, country: word, region: text, timezone: word },
            { requiredKeys: ['city'] },
          ),
        }),
      },
      maybe,
    ),
    brand_new: fc.jsonValue({ maxDepth: 2 }).filter((value) => value !== null),
  },
  maybe,
);

const together = fc.oneof(
  fc.constant({}),
  fc.record({ logprobs: fc.constant(true), top_logprobs: fc.integer({ min: 0, max: 20 }) }),
  fc.record({
    modalities: fc.constant(['text', 'audio']),
    audio: fc.record({ format: fc.constant('pcm16'), voice: fc.oneof(word, fc.record({ id: word })) }),
  }),
);
const limit = fc.oneof(
  fc.constant({}),
  fc.record({ max_completion_tokens: fc.integer({ min: 1, max: 100_000 }) }),
);

/** Either form, not both: a body with both would be sent in the older form. */
const talk = fc.oneof(
  fc.tuple(conversation(turn, toolTurn), fc.oneof(fc.constant({}), currentTools)),
  fc.tuple(conversation(turn), olderTools),
);

/** Bodies that the provider's API accepts, in the form that the service sends. Any parameter may be present. */
export const bodies: fc.Arbitrary<Record<string, unknown>> = fc
  .tuple(talk, settings, together, limit)
  .map(
    ([[messages, tools], ...rest]) =>
      Object.assign({ model: 'gpt-4o', messages }, tools, ...rest) as Record<string, unknown>,
  );
