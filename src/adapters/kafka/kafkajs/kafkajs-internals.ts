import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/** A class or module inside kafkajs, which shows it to nobody. @param path below its `src` */
export function internalOf<Part>(path: string): Part {
  return require(`kafkajs/src/${path}`) as Part;
}
