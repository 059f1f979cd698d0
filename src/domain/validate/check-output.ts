import type { AudioOutput, ChatRequest, ResponseFormat } from '../../contract/record-types.ts';
import { checkJsonObject } from './check-json.ts';
import { checkParts } from './check-parts.ts';
import { oneOf, type ProblemList } from './problem-list.ts';

const formats: readonly string[] = ['text', 'json_object', 'json_schema'];
const SCHEMA_NAME = /^[a-zA-Z0-9_-]{1,64}$/;

/** Checks the format of the answer. */
export function checkOutput(request: ChatRequest, list: ProblemList): void {
  const { responseFormat, prediction, moderation } = request;
  if (responseFormat !== null) checkResponseFormat(responseFormat, list);
  checkAudio(request, list);
  checkParts(prediction, 'prediction', ['text'], 'a prediction', list);
  if (moderation !== null && moderation.model === '')
    list.add('moderation.model', 'missing', 'name the moderation model');
}

function checkResponseFormat(format: ResponseFormat, list: ProblemList): void {
  if (!formats.includes(format.type)) {
    list.add('responseFormat.type', 'unknown_value', `it must be ${oneOf(formats)}`);
    return;
  }
  if (format.type !== 'json_schema') {
    for (const field of ['name', 'description', 'schemaJson', 'strict'] as const) {
      if (format[field] !== null)
        list.add(`responseFormat.${field}`, 'not_applicable', 'only type json_schema has it; leave it out');
    }
    return;
  }
  if (!format.name) list.add('responseFormat.name', 'missing', 'a JSON Schema needs a name');
  else if (!SCHEMA_NAME.test(format.name)) {
    list.add(
      'responseFormat.name',
      'invalid_value',
      'it must be 1 to 64 of the characters a-z, A-Z, 0-9, _ and -',
    );
  }
  if (format.schemaJson !== null) checkJsonObject(format.schemaJson, 'responseFormat.schemaJson', list);
}

function checkAudio({ audio, modalities }: ChatRequest, list: ProblemList): void {
  const speaks = modalities.includes('audio');
  if (speaks && audio === null) list.add('audio', 'missing', 'modality audio needs a format and a voice');
  if (audio === null) return;
  if (!speaks)
    list.add('modalities', 'missing', 'audio is set, but modalities do not name it; send text and audio');
  checkVoice(audio, list);
}

function checkVoice({ format, voice, voiceId }: AudioOutput, list: ProblemList): void {
  if (format === '') list.add('audio.format', 'missing', 'name a format, such as wav or pcm16');
  if (voice && voiceId) list.add('audio.voiceId', 'conflict', 'voice is set too; send one of them');
  else if (!voice && !voiceId) list.add('audio.voice', 'missing', 'name a voice, or a voiceId');
}
