import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Tool } from '../../../../src/contract/record-types.ts';
import { renderTools } from '../../../../src/domain/tokens/render-tools.ts';

const tool = (parameters: unknown, members: Partial<Tool> = {}): Tool => ({
  type: 'function',
  name: 'look_up',
  description: null,
  parametersJson: JSON.stringify(parameters),
  strict: null,
  grammarSyntax: null,
  grammarDefinition: null,
  extraJson: null,
  ...members,
});

describe('renderTools', () => {
  it('writes a type for each tool, as models read them', () => {
    const parameters = {
      properties: {
        city: { type: 'string', description: 'Where' },
        unit: { type: 'string', enum: ['c', 'f'] },
        days: { type: 'integer' },
        step: { type: 'number', enum: [1, 2] },
        exact: { type: 'boolean' },
        nothing: { type: 'null' },
        tags: { type: 'array', items: { type: 'string' } },
        rest: { type: 'array' },
        near: {
          type: 'object',
          properties: { lat: { type: 'number', description: 'North' } },
          required: ['lat'],
        },
        other: { $ref: '#/$defs/other' },
        anything: true,
      },
      required: ['city'],
    };
    const tools = [
      tool(parameters, { description: 'Looks something up' }),
      tool({}, { name: 'stop', grammarDefinition: 'start: "x"' }),
    ];
    expect(renderTools(tools)).toBe(`namespace functions {

// Looks something up
type look_up = (_: {
// Where
city: string,
unit?: "c" | "f",
days?: number,
step?: 1 | 2,
exact?: boolean,
nothing?: null,
tags?: string[],
rest?: any[],
near?: {
  lat: number,
},
other?: any,
anything?: any,
}) => any;

// start: "x"
type stop = () => any;

} // namespace functions`);
  });

  it.each(['', 'no JSON', 'null', '[1]', '{"properties":7}'])(
    'takes %o for no parameters',
    (parametersJson) => {
      expect(renderTools([tool(null, { parametersJson })])).toContain('type look_up = () => any;');
    },
  );

  it('stops at an unrealistic depth', () => {
    const deep = `${'{"type":"array","items":'.repeat(60)}{}${'}'.repeat(60)}`;
    expect(renderTools([tool(null, { parametersJson: `{"properties":{"a":${deep}}}` })])).toContain(
      `a?: any${'[]'.repeat(16)},`,
    );
  });

  it('returns a result for any JSON', () => {
    fc.assert(
      fc.property(fc.json(), (parametersJson) => renderTools([tool(null, { parametersJson })]).length > 0),
    );
  });
});
