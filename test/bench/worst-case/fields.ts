import { readFileSync } from 'node:fs';

type Schema = string | readonly Schema[] | SchemaObject;
interface SchemaObject {
  readonly type: Schema;
  readonly name?: string;
  readonly fields?: readonly { readonly name: string; readonly type: Schema; readonly default?: unknown }[];
  readonly items?: Schema;
  readonly values?: Schema;
  readonly symbols?: readonly string[];
}

/** One place of a request that a publisher fills, such as `messages[].parts[].url`. */
export interface Field {
  readonly path: string;
  readonly steps: readonly string[];
  readonly kind: 'text' | 'bytes' | 'list' | 'map' | 'number';
  /** A list's item or a map's value as the schema fills it in. */
  readonly item: () => unknown;
}

const EACH = '[]';

/** Every place of `ChatRequest` as its schema has it, so that none is forgotten. */
export function fieldsOfChatRequest(): Field[] {
  const root = JSON.parse(
    readFileSync(new URL('../../../schemas/ChatRequest.avsc', import.meta.url), 'utf8'),
  ) as SchemaObject;
  const walker = new Walker();
  return walker.record(root, []);
}

class Walker {
  readonly #named = new Map<string, SchemaObject>();

  record(schema: SchemaObject, steps: readonly string[]): Field[] {
    if (schema.name !== undefined) this.#named.set(schema.name, schema);
    return (schema.fields ?? []).flatMap(({ name, type }) => this.place(type, [...steps, name]));
  }

  place(given: Schema, steps: readonly string[]): Field[] {
    const schema = this.#resolved(given);
    const field = (kind: Field['kind'], item: Field['item'] = () => null): Field => ({
      path: pathOf(steps),
      steps,
      kind,
      item,
    });
    switch (schema.type) {
      case 'record':
        return this.record(schema, steps);
      case 'array': {
        const items = schema.items ?? 'null';
        return [field('list', () => this.#blank(items)), ...this.place(items, [...steps, EACH])];
      }
      case 'map':
        return [field('map', () => this.#blank(schema.values ?? 'null'))];
      case 'string':
        return [field('text')];
      case 'bytes':
        return [field('bytes')];
      case 'boolean':
      case 'enum':
        return [];
      default:
        return [field('number')];
    }
  }

  #resolved(schema: Schema): SchemaObject {
    if (Array.isArray(schema)) return this.#resolved((schema as readonly Schema[])[1] ?? 'null');
    if (typeof schema === 'string')
      return this.#named.get(schema.replace('completionbus.v1.', '')) ?? { type: schema };
    const object = schema as SchemaObject;
    if (typeof object.type !== 'string') return this.#resolved(object.type);
    if (object.name !== undefined) this.#named.set(object.name, object);
    return object;
  }

  #blank(given: Schema): unknown {
    if (Array.isArray(given)) return null;
    const schema = this.#resolved(given);
    switch (schema.type) {
      case 'record':
        return Object.fromEntries(
          (schema.fields ?? []).map((field) => [field.name, field.default ?? this.#blank(field.type)]),
        );
      case 'array':
        return [];
      case 'map':
        return {};
      case 'string':
        return '';
      case 'bytes':
        return Buffer.alloc(0);
      case 'boolean':
        return false;
      case 'enum':
        return schema.symbols?.[0];
      case 'null':
        return null;
      default:
        return 0;
    }
  }
}

function pathOf(steps: readonly string[]): string {
  return steps.reduce(
    (path, step) => (step === EACH ? `${path}[]` : path === '' ? step : `${path}.${step}`),
    '',
  );
}

/** What stands at a place of a request; of a list, in the first item that has something there. */
export function valueAt(value: unknown, [step, ...rest]: readonly string[]): unknown {
  if (step === undefined || value === null || value === undefined) return value ?? null;
  if (step !== EACH) return valueAt((value as Record<string, unknown>)[step], rest);
  for (const item of value as unknown[]) {
    const found = valueAt(item, rest);
    if (found !== null) return found;
  }
  return null;
}

/** Puts a value at a place, in lists into the item that has something there already. */
export function putAt(target: unknown, steps: readonly string[], value: unknown): boolean {
  const [step, ...rest] = steps;
  if (target === null || target === undefined || step === undefined) return false;
  if (step === EACH) {
    const items = target as unknown[];
    const index = Math.max(
      0,
      items.findIndex((item) => valueAt(item, rest) !== null),
    );
    if (rest.length > 0) return putAt(items[index], rest, value);
    items[index] = value;
    return true;
  }
  const object = target as Record<string, unknown>;
  if (rest.length > 0) return putAt(object[step], rest, value);
  object[step] = value;
  return true;
}
