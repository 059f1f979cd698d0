import { describe, expect, it } from 'vitest';
import type { ChatRequestInput } from '../../../../src/contract/record-types.ts';
import { pathsOf } from '../../../support/problems-of.ts';

const weather = { name: 'weather', parametersJson: '{"type":"object"}', strict: true };
const sql = { type: 'custom', name: 'sql' };
const f = { name: 'weather' };

describe('tools', () => {
  it.each<[string, Partial<ChatRequestInput>]>([
    ['functions and custom tools', { tools: [weather, sql, { name: 'plain' }], parallelToolCalls: true }],
    ['a grammar', { tools: [{ ...sql, grammarSyntax: 'lark', grammarDefinition: 'start: "x"' }] }],
    ['a choice of each mode', { tools: [weather], toolChoice: { mode: 'required' } }],
    ['a named choice', { tools: [weather, sql], toolChoice: { mode: 'tool', tools: [{ ...sql }] } }],
    [
      'a choice of some',
      { tools: [weather], toolChoice: { mode: 'allowed', allowedMode: 'auto', tools: [f] } },
    ],
    [
      'the older form',
      { legacyFunctions: true, tools: [{ name: 'f', strict: false }], parallelToolCalls: false },
    ],
    [
      'the older form’s choice',
      { legacyFunctions: true, tools: [{ name: 'f' }], toolChoice: { mode: 'auto' } },
    ],
  ])('may have %s', (_what, request) => {
    expect(pathsOf(request)).toEqual([]);
  });

  it.each<[string, string[], Partial<ChatRequestInput>]>([
    ['a name with a space', ['tools[0].name'], { tools: [{ name: 'a b' }] }],
    ['a name of 65 characters', ['tools[0].name'], { tools: [{ name: 'x'.repeat(65) }] }],
    ['one name twice', ['tools[1].name'], { tools: [weather, { ...sql, name: 'weather' }] }],
    [
      'a tool of the provider that says nothing',
      ['tools[0].extraJson'],
      { tools: [{ type: 'web_search', name: '' }] },
    ],
    ['a broken schema', ['tools[0].parametersJson'], { tools: [{ name: 'f', parametersJson: '{' }] }],
    [
      'a schema that is a list',
      ['tools[0].parametersJson'],
      { tools: [{ name: 'f', parametersJson: '[]' }] },
    ],
    [
      'a schema that is too deep',
      ['tools[0].parametersJson'],
      { tools: [{ name: 'f', parametersJson: `{"a":${'['.repeat(64)}${']'.repeat(64)}}` }] },
    ],
    ['a function’s grammar', ['tools[0].grammarSyntax'], { tools: [{ name: 'f', grammarSyntax: 'lark' }] }],
    ['a custom tool’s schema', ['tools[0].parametersJson'], { tools: [{ ...sql, parametersJson: '{}' }] }],
    ['a custom tool’s strictness', ['tools[0].strict'], { tools: [{ ...sql, strict: false }] }],
    ['a custom tool without name', ['tools[0].name'], { tools: [{ ...sql, name: '' }] }],
    [
      'a grammar without definition',
      ['tools[0].grammarDefinition'],
      { tools: [{ ...sql, grammarSyntax: 'lark' }] },
    ],
    [
      'a definition without syntax',
      ['tools[0].grammarSyntax'],
      { tools: [{ ...sql, grammarDefinition: 'x' }] },
    ],
    ['too many', ['tools'], { tools: Array.from({ length: 129 }, (_, index) => ({ name: `f${index}` })) }],
    ['a choice without tools', ['toolChoice'], { toolChoice: { mode: 'none' } }],
    ['parallel calls of no tools', ['parallelToolCalls'], { parallelToolCalls: false }],
    ['an unknown mode', ['toolChoice.mode'], { tools: [weather], toolChoice: { mode: 'perhaps' } }],
    ['a choice of no tool', ['toolChoice.tools'], { tools: [weather], toolChoice: { mode: 'tool' } }],
    [
      'a choice of two tools',
      ['toolChoice.tools'],
      { tools: [weather], toolChoice: { mode: 'tool', tools: [f, f] } },
    ],
    ['none that are allowed', ['toolChoice.tools'], { tools: [weather], toolChoice: { mode: 'allowed' } }],
    [
      'a choice of a tool that is not there',
      ['toolChoice.tools[1]'],
      { tools: [weather], toolChoice: { mode: 'allowed', tools: [f, { name: 'other' }] } },
    ],
    [
      'a choice of another kind',
      ['toolChoice.tools[0]'],
      { tools: [weather], toolChoice: { mode: 'tool', tools: [{ type: 'custom', name: 'weather' }] } },
    ],
    [
      'tools beside mode auto',
      ['toolChoice.tools'],
      { tools: [weather], toolChoice: { mode: 'auto', tools: [f] } },
    ],
    [
      'more choices than tools may be',
      ['toolChoice.tools'],
      { tools: [weather], toolChoice: { mode: 'allowed', tools: Array.from({ length: 129 }, () => f) } },
    ],
    [
      'an allowed mode beside mode auto',
      ['toolChoice.allowedMode'],
      { tools: [weather], toolChoice: { mode: 'auto', allowedMode: 'auto' } },
    ],
    [
      'an unknown allowed mode',
      ['toolChoice.allowedMode'],
      { tools: [weather], toolChoice: { mode: 'allowed', allowedMode: 'x', tools: [f] } },
    ],
  ])('may not have %s: %s', (_what, paths, request) => {
    expect(pathsOf(request)).toEqual(paths);
  });

  it.each<[string, string[], Partial<ChatRequestInput>]>([
    ['custom tools', ['tools[0].type'], { tools: [sql] }],
    ['strictness', ['tools[0].strict'], { tools: [weather] }],
    ['parallel calls', ['parallelToolCalls'], { tools: [f], parallelToolCalls: true }],
    ['mode required', ['toolChoice.mode'], { tools: [f], toolChoice: { mode: 'required' } }],
  ])('have no %s in the older functions form', (_what, paths, request) => {
    expect(pathsOf({ legacyFunctions: true, ...request })).toEqual(paths);
  });
});
