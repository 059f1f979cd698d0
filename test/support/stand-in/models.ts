import { z } from 'zod';
import { errorBody } from './error-body.ts';

const initialIds = [
  'gpt-3.5-turbo',
  'gpt-4',
  'gpt-4-turbo',
  'gpt-4o',
  'gpt-4o-mini',
  'gpt-4.1',
  'gpt-4.1-mini',
  'gpt-4.1-nano',
  'gpt-5',
  'gpt-5-mini',
  'gpt-5-nano',
  'gpt-5.1',
  'o3',
  'o4-mini',
];

export const modelListingSchema = z.strictObject({
  /** The models that are listed; chat requests may name any other as well. */
  ids: z.array(z.string().min(1)).default(initialIds),
  /** Anything but 200: an error of the API. */
  status: z.int().min(200).max(599).default(200),
  /** Lists wait until the next control request. */
  hold: z.boolean().default(false),
});

/** What `GET /v1/models` answers. */
export type ModelListing = z.input<typeof modelListingSchema>;

export interface ModelAnswer {
  readonly status: number;
  readonly body: string;
}

/** The models of the stand-in. */
export class ModelDirectory {
  #listing = modelListingSchema.parse({});
  /** Lists asked for since the last reset. */
  #asked = 0;
  #changed = Promise.withResolvers<void>();

  set(listing: z.output<typeof modelListingSchema> | undefined): void {
    this.#listing = listing ?? modelListingSchema.parse({});
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  reset(): void {
    this.#asked = 0;
    this.set(undefined);
  }

  get asked(): number {
    return this.#asked;
  }

  /** Answers `GET /v1/models`. */
  async list(): Promise<ModelAnswer> {
    this.#asked += 1;
    while (this.#listing.hold) await this.#changed.promise;
    const { status, ids } = this.#listing;
    if (status !== 200) return { status, body: errorBody(status) };
    return { status, body: JSON.stringify({ object: 'list', data: ids.map(describe) }) };
  }

  /** Answers `GET /v1/models/<id>`. */
  find(id: string): ModelAnswer {
    const index = this.#listing.ids.indexOf(id);
    if (index >= 0) return { status: 200, body: JSON.stringify(describe(id, index)) };
    const message = `The model '${id}' does not exist`;
    return { status: 404, body: errorBody(404, { message, param: 'model' }) };
  }
}

function describe(id: string, index: number): object {
  return { id, object: 'model', created: 1_700_000_000 + index * 86_400, owned_by: 'stand-in' };
}
