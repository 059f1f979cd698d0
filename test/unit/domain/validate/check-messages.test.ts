import { describe, expect, it } from 'vitest';
import type { ChatRequestInput } from '../../../../src/contract/record-types.ts';
import { pathsOf } from '../../../support/problems-of.ts';

type Messages = NonNullable<ChatRequestInput['messages']>;
type Part = NonNullable<Messages[number]['parts']>[number];

const user = { role: 'user', content: 'Hello' };
const call = { id: 'call_1', name: 'weather', arguments: '{}' };
const second = { ...call, id: 'call_2' };
const asks = { role: 'assistant', toolCalls: [call] };
const result = { role: 'tool', toolCallId: 'call_1', content: '{}' };
const data = Buffer.from('bytes');
const withParts = (...parts: Part[]) => ({ role: 'user', parts });
const text: Part = { type: 'text', text: 'Hello' };

describe('a conversation', () => {
  it.each<[string, Messages]>([
    ['parts instead of content', [withParts(text)]],
    ['empty text', [{ role: 'user', content: '' }, withParts({ type: 'text', text: '' })]],
    ['every role', [{ role: 'developer', content: 'x' }, { role: 'system', parts: [text] }, user]],
    ['a result of a call', [user, asks, result]],
    ['results in any order', [asks2(), { ...result, toolCallId: 'call_2' }, result, user]],
    ['an id that is used again later', [asks, result, asks, result]],
    ['a refusal without text', [user, { role: 'assistant', refusal: 'No.' }]],
    ['an audio answer without text', [user, { role: 'assistant', audioId: 'audio_1' }]],
    ['a result in the older form', [user, older('f'), { role: 'function', name: 'f', content: '1' }]],
    ['a call in the older form without a result', [older('f'), user]],
    ['an image by its URL', [withParts({ type: 'image_url', url: 'HTTPS://a.example/b', detail: 'low' })]],
    ['an image by its data URL', [withParts({ type: 'image_url', url: 'data:image/png;base64,AA==' })]],
    ['an image by its bytes', [withParts({ type: 'image_url', data, mediaType: 'image/svg+xml' })]],
    ['audio', [withParts({ type: 'input_audio', data, format: 'wav', mediaType: 'audio/wav' })]],
    ['a file', [withParts({ type: 'file', data, mediaType: 'application/pdf', fileName: 'a.pdf' })]],
    ['a file of the provider', [withParts({ type: 'file', fileId: 'file_1' })]],
    ['a breakpoint', [withParts({ ...text, cacheBreakpoint: { mode: 'explicit', ttl: '30m' } })]],
    [
      'parts of a type without fields',
      [withParts({ type: 'video_url', extraJson: '{"video_url":{"url":"https://a.example"}}' })],
    ],
    ['a part of a type without fields that has text', [withParts({ type: 'document', text: 'Hello' })]],
    [
      'audio by its address',
      [withParts({ type: 'input_audio', extraJson: '{"input_audio":"https://a.example"}' })],
    ],
    ['parts that refuse', [user, { role: 'assistant', parts: [text, { type: 'refusal', text: 'No.' }] }]],
  ])('may have %s', (_what, messages) => {
    expect(pathsOf({ messages })).toEqual([]);
  });

  it.each<[string, string[], Messages]>([
    ['no messages', ['messages'], []],
    ['too many messages', ['messages'], Array.from({ length: 4_097 }, () => user)],
    ['an unknown role', ['messages[1].role'], [user, { role: 'robot', content: 'Hello' }]],
    ['an unknown role without content', ['messages[0].role', 'messages[0]'], [{ role: 'robot' }]],
    ['content and parts', ['messages[0]'], [{ ...user, parts: [text] }]],
    ['neither content nor parts', ['messages[0]'], [{ role: 'user' }]],
    ['an assistant message without content', ['messages[1]'], [user, { role: 'assistant' }]],
    ['calls by a user', ['messages[0]', 'messages[0].toolCalls'], [{ role: 'user', toolCalls: [call] }]],
    ['a refusal by a user', ['messages[0].refusal'], [{ ...user, refusal: 'No.' }]],
    ['a user message that answers a call', ['messages[0].toolCallId'], [{ ...user, toolCallId: 'call_1' }]],
    [
      'a system message with audio',
      ['messages[0].audioId'],
      [{ role: 'system', content: 'x', audioId: 'a' }],
    ],
    ['a result without a call id', ['messages[1].toolCallId'], [user, { role: 'tool', content: '{}' }]],
    ['a result of no call', ['messages[1].toolCallId'], [user, result]],
    ['a result before its call', ['messages[0].toolCallId', 'messages[1].toolCalls[0]'], [result, asks]],
    ['two results of a call', ['messages[2].toolCallId'], [asks, result, result]],
    ['a call without a result', ['messages[0].toolCalls[0]'], [asks, user]],
    ['a call at the end', ['messages[1].toolCalls[0]'], [user, asks]],
    ['one call of two unanswered', ['messages[0].toolCalls[1]'], [asks2(), result, user]],
    [
      'a result that comes too late',
      ['messages[0].toolCalls[0]', 'messages[2].toolCallId'],
      [asks, user, result],
    ],
    ['two calls with one id', ['messages[0].toolCalls[1].id'], [asksFor(call, call), result]],
    ['a call without id', ['messages[0].toolCalls[0].id'], [asksFor({ ...call, id: null })]],
    ['a call of nothing', ['messages[0].toolCalls[0].name'], [asksFor({ ...call, name: '' }), result]],
    ['a call of no kind', ['messages[0].toolCalls[0].type'], [asksFor({ ...call, type: 'x' }), result]],
    ['too many calls', ['messages[0].toolCalls'], [asksFor(...calls(129)), ...results(129)]],
    [
      'two calls in the older form',
      ['messages[0].toolCalls'],
      [{ role: 'assistant', toolCalls: [olderCall('f'), olderCall('g')] }],
    ],
    ['a function’s result without name', ['messages[0].name'], [{ role: 'function', content: '1' }]],
    [
      'a function’s result in parts',
      ['messages[0].parts[0].type'],
      [{ role: 'function', name: 'f', parts: [text] }],
    ],
    [
      'an image by the assistant',
      ['messages[0].parts[0].type'],
      [{ role: 'assistant', parts: [{ type: 'image_url', url: 'https://a.example' }] }],
    ],
    [
      'a refusal in parts by a user',
      ['messages[0].parts[0].type'],
      [withParts({ type: 'refusal', text: 'No' })],
    ],
    ['a part of no type', ['messages[0].parts[1].type'], [withParts(text, { type: 'constructor' })]],
    ['a part that carries nothing', ['messages[0].parts[0].type'], [withParts({ type: 'video_url' })]],
    [
      'a part of a type without fields that has bytes',
      ['messages[0].parts[0].data'],
      [withParts({ type: 'video_url', text: 'x', data })],
    ],
    ['too many parts', ['messages[0].parts'], [withParts(...Array.from({ length: 1_025 }, () => text))]],
    ['a text without text', ['messages[0].parts[0].text'], [withParts({ type: 'text' })]],
    ['an image without payload', ['messages[0].parts[0].url'], [withParts({ type: 'image_url', url: '' })]],
    [
      'an image with two payloads',
      ['messages[0].parts[0].data'],
      [withParts({ type: 'image_url', url: 'https://a.example', data, mediaType: 'image/png' })],
    ],
    [
      'an image in a drawer',
      ['messages[0].parts[0].url'],
      [withParts({ type: 'image_url', url: 'file:///a' })],
    ],
    ['an image of no kind', ['messages[0].parts[0].mediaType'], [withParts({ type: 'image_url', data })]],
    [
      'an image of a strange kind',
      ['messages[0].parts[0].mediaType'],
      [withParts({ type: 'image_url', data, mediaType: 'png' })],
    ],
    [
      'an image with text',
      ['messages[0].parts[0].text'],
      [withParts({ type: 'image_url', url: 'data:,', text: '' })],
    ],
    [
      'audio without bytes',
      ['messages[0].parts[0].data'],
      [withParts({ type: 'input_audio', format: 'wav' })],
    ],
    ['audio without format', ['messages[0].parts[0].format'], [withParts({ type: 'input_audio', data })]],
    [
      'audio by its address',
      ['messages[0].parts[0].data', 'messages[0].parts[0].url'],
      [withParts({ type: 'input_audio', format: 'mp3', url: 'https://a.example' })],
    ],
    [
      'a file with two payloads',
      ['messages[0].parts[0].data'],
      [withParts({ type: 'file', data, fileId: 'f' })],
    ],
    [
      'a breakpoint without mode',
      ['messages[0].parts[0].cacheBreakpoint.mode'],
      [withParts({ ...text, cacheBreakpoint: { mode: '' } })],
    ],
  ])('may not have %s: %s', (_what, paths, messages) => {
    expect(pathsOf({ messages })).toEqual(paths);
  });
});

describe('a conversation in the older functions form', () => {
  const legacyFunctions = true;

  it.each<[string, Messages]>([
    ['a result that comes later', [user, asks, user, result]],
    ['a call without a result', [user, asks]],
    ['a result that is named', [user, { role: 'tool', name: 'f', content: '1' }]],
  ])('may have %s', (_what, messages) => {
    expect(pathsOf({ legacyFunctions, messages })).toEqual([]);
  });

  it.each<[string, string[], Messages]>([
    ['a result of no call', ['messages[1].toolCallId'], [user, result]],
    ['a result without a call', ['messages[0].toolCallId'], [{ role: 'tool', content: '1' }]],
    ['two calls at once', ['messages[0].toolCalls'], [asksFor(call, second)]],
    ['a call of a custom tool', ['messages[0].toolCalls[0].type'], [asksFor({ ...call, type: 'custom' })]],
    [
      'a result in parts',
      ['messages[1].parts[0].type'],
      [asks, { role: 'tool', toolCallId: 'call_1', parts: [text] }],
    ],
  ])('may not have %s: %s', (_what, paths, messages) => {
    expect(pathsOf({ legacyFunctions, messages })).toEqual(paths);
  });
});

function asksFor(...toolCalls: NonNullable<Messages[number]['toolCalls']>): Messages[number] {
  return { role: 'assistant', toolCalls };
}

function asks2(): Messages[number] {
  return asksFor(call, second);
}

function calls(count: number) {
  return Array.from({ length: count }, (_, index) => ({ ...call, id: `call_${index}` }));
}

function results(count: number) {
  return calls(count).map(({ id }) => ({ role: 'tool', toolCallId: id, content: '' }));
}

function olderCall(name: string) {
  return { id: null, type: 'function_call', name, arguments: '{}' };
}

function older(name: string): Messages[number] {
  return { role: 'assistant', toolCalls: [olderCall(name)] };
}
