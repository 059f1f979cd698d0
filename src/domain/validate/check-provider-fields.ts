import type { ChatRequest } from '../../contract/record-types.ts';
import { isOwnParameter } from '../parameters/provider-parameters.ts';
import { checkJsonObject } from './check-json.ts';
import type { ProblemList } from './problem-list.ts';

const MAX_PAIRS = 16;
const KEY_MAX_CHARACTERS = 64;
const VALUE_MAX_CHARACTERS = 512;

/** Checks the fields that are passed through to the provider. */
export function checkProviderFields(request: ChatRequest, list: ProblemList): void {
  checkMetadata(request, list);
  if (request.extraJson === null) return;
  const extra = checkJsonObject(request.extraJson, 'extraJson', list) ?? {};
  for (const name of Object.keys(extra)) {
    if (!isOwnParameter(name)) continue;
    list.add(
      `extraJson.${name}`,
      'conflict',
      'the request has its own field for it, or the service sets it; leave it out of extraJson',
    );
  }
}

function checkMetadata({ providerMetadata }: ChatRequest, list: ProblemList): void {
  const pairs = Object.entries(providerMetadata);
  if (pairs.length > MAX_PAIRS)
    list.add(
      'providerMetadata',
      'too_large',
      `there are ${pairs.length} pairs, but at most ${MAX_PAIRS} are allowed`,
    );
  const isTooLong = pairs.some(
    ([key, value]) => key.length > KEY_MAX_CHARACTERS || value.length > VALUE_MAX_CHARACTERS,
  );
  if (isTooLong) {
    list.add(
      'providerMetadata',
      'too_large',
      `keys may have at most ${KEY_MAX_CHARACTERS} characters, values ${VALUE_MAX_CHARACTERS}`,
    );
  }
}
