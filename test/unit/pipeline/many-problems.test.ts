import { describe, expect, it } from 'vitest';
import { readBody } from '../../../src/adapters/openai/json-body/read-body.ts';
import { mapMessages } from '../../../src/adapters/openai/request/map-message.ts';
import type { Message, ToolCall } from '../../../src/contract/record-types.ts';
import { invalidRequest, unknownProvider } from '../../../src/domain/failures/refusals.ts';
import { jsonShape } from '../../../src/domain/validate/check-json.ts';
import { validateRequest } from '../../../src/pipeline/handling/validate-request.ts';
import { sampleRequest } from '../../support/fakes/sample-request.ts';
import { aMessage, aToolCall } from '../openai/provider-call.ts';

describe('a request with very many problems', () => {
  it('reports a readable number for a JSON body', () => {
    const { problems } = readBody({ messages: Array.from({ length: 400_000 }, () => 1) });
    expect(problems).toHaveLength(1_000);
    expect(problems[0]).toMatchObject({ path: 'messages[0]', code: 'wrong_type' });
  });

  it('reports as many for its content', () => {
    const messages = Array.from({ length: 4_096 }, () => aMessage({ role: 'nobody' }));
    expect(validateRequest(sampleRequest({ messages }))).toHaveLength(1_000);
  });

  it('is checked in linear time', () => {
    let looks = 0;
    const known = Array.from({ length: 1_000 }, (_, index) => ({
      get path() {
        looks += 1;
        return `messages[${index}].content`;
      },
      code: 'wrong_type',
      message: 'it must be text',
    }));
    const messages = Array.from({ length: 4_096 }, () => aMessage());
    expect(validateRequest(sampleRequest({ messages }), known)).toEqual([]);
    expect(looks).toBeLessThanOrEqual(2 * known.length);
  });

  it('reports the first, and that there are more than were counted', () => {
    const problems = Array.from({ length: 1_000 }, () => ({ path: 'a', code: 'missing', message: 'b' }));
    expect(invalidRequest(problems).message).toMatch(/; and at least 900 more$/);
    expect(invalidRequest(problems.slice(0, 150)).message).toMatch(/; and 50 more$/);
  });
});

describe('a very long name', () => {
  const name = 'x'.repeat(900_000);

  it('is cut in the paths of a JSON body', () => {
    const { problems } = readBody({ messages: [], stream_options: { [name]: 1 } });
    expect(problems).toMatchObject([{ code: 'unknown_member' }]);
    expect(problems[0]?.path.length).toBeLessThan(100);
  });

  it('is cut when it names a provider that is not configured', () => {
    expect(unknownProvider(name, ['openai']).message.length).toBeLessThan(300);
    expect(validateRequest(sampleRequest({ provider: name }))).toMatchObject([
      { path: 'provider', code: 'too_large' },
    ]);
  });
});

describe('maps of a JSON body', () => {
  it.each(['metadata', 'logit_bias'] as const)('%s has no inherited names', (member) => {
    const value = JSON.parse(
      `{"__proto__":${member === 'metadata' ? '"a"' : '1'},"b":${member === 'metadata' ? '"c"' : '2'}}`,
    );
    const { fields } = readBody({ messages: [], [member]: value });
    const pairs = member === 'metadata' ? fields.providerMetadata : fields.logitBias;
    expect(Object.keys(pairs)).toEqual(['__proto__', 'b']);
    expect(Object.getPrototypeOf(pairs)).toBeNull();
    expect(pairs['constructor']).toBeUndefined();
  });
});

describe('base64 of a JSON body', () => {
  it.each([
    ['', true],
    ['QUJD', true],
    ['QUI=', true],
    ['QQ==', true],
    ['QQ=', false],
    ['Q===', false],
    ['====', false],
    ['QUJ!', false],
    ['QU=D', false],
    [`${'QUJD'.repeat(200_000)}QUJ!`, false],
    ['QUJD'.repeat(200_000), true],
  ])('%.12s… is read: %s', (data, isRead) => {
    const part = { type: 'input_audio', input_audio: { data, format: 'wav' } };
    const { problems } = readBody({ messages: [{ role: 'user', content: [part] }] });
    expect(problems.length === 0).toBe(isRead);
  });
});

describe('results in the older form', () => {
  it('find the last call with their id, and visit every call once', () => {
    let looks = 0;
    const watched = (id: string, name: string): ToolCall => {
      const call = aToolCall({ name });
      return Object.defineProperty(call, 'id', {
        get: () => {
          looks += 1;
          return id;
        },
      });
    };
    const asking = (...toolCalls: ToolCall[]): Message => aMessage({ role: 'assistant', toolCalls });
    const calls = Array.from({ length: 500 }, (_, index) => asking(watched(`${index}`, 'noise')));
    const result = (toolCallId: string) => aMessage({ role: 'tool', content: '', toolCallId });
    const answers = Array.from({ length: 500 }, () => result('a'));
    const sent = mapMessages(
      [
        asking(watched('a', 'old')),
        asking(watched('a', 'new'), watched('a', 'twin')),
        ...calls,
        ...answers,
        result('?'),
      ],
      true,
    );
    expect(sent.filter(({ role }) => role === 'function').map(({ name }) => name)).toEqual([
      ...answers.map(() => 'new'),
      null,
    ]);
    expect(looks).toBeLessThan(2_000);
  });
});

it('the shape of a text is read in one pass', () => {
  expect(jsonShape('[{"a[,":"\\"}["},[[]]]')).toEqual({ depth: 3, size: 6 });
  expect(jsonShape('"'.repeat(900_000))).toEqual({ depth: 0, size: 0 });
  expect(jsonShape('['.repeat(900_000))).toEqual({ depth: 900_000, size: 900_000 });
});
