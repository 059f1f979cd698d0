import { streamFields, wholeAnswerFields } from './provider-answer-fields.ts';
import { requestFields } from './provider-request-fields.ts';
import type { ProviderObject } from './provider-types.ts';

/** The mapping of one member of the provider's objects. */
export type Place =
  /** The fields of our records that carry it: `ChatRequest.topP`. */
  | readonly string[]
  /** The service sets it: these are all the values that it is ever sent with. */
  | { readonly set: readonly (string | boolean)[]; readonly because: string }
  /** It is deliberately not mapped. */
  | { readonly leftOut: string };

/** By path in the provider's object. */
export type Places = Readonly<Record<string, Place>>;

interface FieldTable {
  readonly title: string;
  readonly intro: string;
  readonly places: Places;
}

/** The mapping of every parameter and field of the provider, as docs/provider-fields.md shows and the tests prove. */
export const providerFields: Readonly<Record<ProviderObject, FieldTable>> = {
  ChatCompletionCreateParamsBase: {
    title: 'Requests',
    intro:
      'The body of `POST /chat/completions` (`ChatCompletionCreateParams`). Parameters that are newer than this table travel in `ChatRequest.extraJson`.',
    places: requestFields,
  },
  ChatCompletionChunk: {
    title: 'Streams',
    intro:
      'One event of a streamed answer (`ChatCompletionChunk`). Members that are newer than this table travel in the `extraJson` of their level: `ChatResponse`, `choices[]` or `toolCalls[]`.',
    places: streamFields,
  },
  ChatCompletion: {
    title: 'Whole answers',
    intro:
      'What a server sends that does not stream (`ChatCompletion`). It becomes chunks and a response as a stream does.',
    places: wholeAnswerFields,
  },
};

/** The content of docs/provider-fields.md. */
export function renderProviderFields(): string {
  const sections = Object.values(providerFields).map(({ title, intro, places }) =>
    [
      `## ${title}\n\n${intro}\n\n| provider | here |\n| --- | --- |`,
      ...Object.entries(places).map(([path, place]) => `| \`${path}\` | ${describePlace(place)} |`),
    ].join('\n'),
  );
  return `${HEAD}\n${sections.join('\n\n')}\n`;
}

const HEAD = `# The provider's fields

Where every parameter and field of the Chat Completions API travels in our records ([contract.md](contract.md)). The left column is
what the types of the installed \`openai\` package declare: [a test](../test/contract/provider-fields.test.ts) reads them with the
TypeScript compiler and fails when one is missing here or was removed there. [Another](../test/contract/provider-fields-travel.test.ts)
sends a distinguishable value through each row. JSON requests are read [the same way back](../test/contract/provider-fields-json.test.ts).

This page is written from [\`test/contract/provider-fields.ts\`](../test/contract/provider-fields.ts) by
\`npx vitest run test/contract/provider-fields.test.ts -u\`.
`;

function describePlace(place: Place): string {
  if ('set' in place) return `${describeSet(place.set)}: ${place.because}`;
  if ('leftOut' in place) return `left out: ${place.leftOut}`;
  return place.map((field) => `\`${field}\``).join(', ');
}

function describeSet(values: readonly (string | boolean)[]): string {
  const text = values.map((value) => `\`${value}\``).join(' or ');
  return values.length === 1 ? `always ${text}` : text;
}
