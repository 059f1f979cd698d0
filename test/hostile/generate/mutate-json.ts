import type { Random } from '../../faults/random.ts';
import { objectOf, oddName, oddValue } from './random-values.ts';

type Holder = Record<string, unknown> | unknown[];

/** A copy with so many places changed: another value, of another type, missing, doubled or renamed. */
export function mutateJson(random: Random, value: unknown, times: number): unknown {
  let root = copy(value);
  for (let left = times; left > 0; left -= 1) {
    const holders = holdersIn(root);
    if (holders.length === 0) return oddValue(random);
    mutateOne(random, random.pick(holders), (other) => {
      root = other;
    });
  }
  return root;
}

function mutateOne(random: Random, holder: Holder, replaceRoot: (value: unknown) => void): void {
  const names = Object.keys(holder);
  const name = names.length === 0 ? oddName(random) : random.pick(names);
  const choice = random.next();
  if (choice < 0.55) set(holder, name, oddValue(random));
  else if (choice < 0.7) remove(holder, name);
  else if (choice < 0.8) set(holder, oddName(random), oddValue(random));
  else if (choice < 0.9) set(holder, name, [get(holder, name)]);
  else if (choice < 0.97) set(holder, names.length === 0 ? 'x' : random.pick(names), copy(get(holder, name)));
  else replaceRoot(oddValue(random));
}

/** Every object and array in it, the outermost first; of large ones only the first thousand. */
function holdersIn(root: unknown): Holder[] {
  const found: Holder[] = [];
  const queue: unknown[] = [root];
  for (const value of queue) {
    if (typeof value !== 'object' || value === null) continue;
    found.push(value as Holder);
    if (queue.length < 1_000) queue.push(...Object.values(value));
  }
  return found;
}

function get(holder: Holder, name: string): unknown {
  return Object.getOwnPropertyDescriptor(holder, name)?.value;
}

function set(holder: Holder, name: string, value: unknown): void {
  // An array takes an odd name as one more entry: a name that is no index would be lost in JSON.
  if (Array.isArray(holder) && !/^\d{1,4}$/.test(name)) holder.push(value);
  else Object.defineProperty(holder, name, { value, enumerable: true, configurable: true, writable: true });
}

function remove(holder: Holder, name: string): void {
  if (Array.isArray(holder)) holder.splice(Number(name), 1);
  else delete holder[name];
}

function copy(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copy);
  if (typeof value !== 'object' || value === null) return value;
  return objectOf(Object.entries(value).map(([name, member]) => [name, copy(member)]));
}
