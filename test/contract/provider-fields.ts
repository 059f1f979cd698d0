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
      'The body of `POST /chat/completions` (`ChatCompletionCreateParams`). Parameters that are newer than\nthis table travel in `ChatRequest.extraJson`.\n\nThe service streams wherever it can. Only a stream shows a stall, and the usage of an answer that\nwas cut. `stream: false` is for models and audio formats that cannot stream.',
    places: requestFields,
  },
  ChatCompletionChunk: {
    title: 'Streams',
    intro:
      'One event of a streamed answer (`ChatCompletionChunk`). Members that are newer than this\ntable travel in the `extraJson` of their level: `ChatResponse`, `choices[]` or `toolCalls[]`.',
    places: streamFields,
  },
  ChatCompletion: {
    title: 'Whole answers',
    intro:
      'The answer of a server that does not stream (`ChatCompletion`). The service publishes it as chunks\nand a response, like a stream.',
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

This page shows where every parameter and field of the Chat Completions API travels in our records
([contract.md](contract.md)). The left column has the declarations of the installed \`openai\`
package. Three tests check it:

- [One](../test/contract/provider-fields.test.ts) reads them with the TypeScript compiler. It fails
  if a field is missing here or was removed there.
- [Another](../test/contract/provider-fields-travel.test.ts) sends a distinguishable value through
  each row.
- [A third](../test/contract/provider-fields-json.test.ts) reads JSON requests back in the same way.

\`npx vitest run test/contract/provider-fields.test.ts -u\` generates this page from
[\`test/contract/provider-fields.ts\`](../test/contract/provider-fields.ts).
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
