import { maskSecrets } from '../../../src/adapters/openai/wire/mask-secrets.ts';
import { cpuMs } from './processor-time.ts';
import { texts } from './values.ts';

/** Work that is not a stage of a request, with its own largest input. */
export interface OtherWork {
  readonly field: string;
  readonly input: string;
  readonly run: () => number | Promise<number>;
}

/** As much of an error body as is read. */
const ERROR_BODY_BYTES = 65_536;

/** A provider's error body on its way into a message. */
export function otherWork(): OtherWork[] {
  const keys = [
    { name: 'a key of signs that ends in a letter', make: (bytes: number) => `sk-${'*'.repeat(bytes - 4)}a` },
    { name: 'a key of dots and letters', make: (bytes: number) => `sk-${'.-'.repeat(bytes / 2 - 2)}a` },
    { name: 'Bearer and spaces', make: (bytes: number) => `Bearer${' '.repeat(bytes - 6)}` },
  ];
  return [...texts, ...keys].map(({ name, make }) => ({
    field: 'provider error body',
    input: name,
    run: () => {
      const text = make(ERROR_BODY_BYTES);
      const began = cpuMs();
      maskSecrets(text, 'sk-configured-key');
      return cpuMs() - began;
    },
  }));
}
