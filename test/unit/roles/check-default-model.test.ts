import { describe, expect, it } from 'vitest';
import { checkDefaultModel } from '../../../src/roles/check-default-model.ts';
import { FakeCatalog, modelInfo } from '../../support/fakes/fake-catalog.ts';

const NOW = Date.UTC(2026, 11, 1);

function warningsFor(name: string, shutdownAt: number | null = null): [object, string][] {
  const warnings: [object, string][] = [];
  const catalog = new FakeCatalog();
  catalog.models.set('openai/gpt-x', modelInfo('gpt-x', { shutdownAt }));
  const warn = (facts: object, message: string) => {
    warnings.push([facts, message]);
  };
  checkDefaultModel(catalog, 'openai', name, NOW, { warn } as never);
  return warnings;
}

describe('the default model at the start', () => {
  it('is no subject while it works, known or not', () => {
    expect(warningsFor('gpt-x')).toEqual([]);
    expect(warningsFor('llama-9')).toEqual([]);
  });

  it('is a warning when it ends, and another when it has ended', () => {
    expect(warningsFor('gpt-x', NOW + 1)).toMatchObject([
      [
        { model: 'gpt-x', shutdownAt: '2026-12-01T00:00:00.001Z' },
        expect.stringMatching(/is deprecated; set AI_DEFAULT_MODEL/),
      ],
    ]);
    expect(warningsFor('gpt-x', NOW)).toMatchObject([
      [{ model: 'gpt-x', nearest: ['gpt-x'] }, expect.stringMatching(/was removed.*set AI_DEFAULT_MODEL/)],
    ]);
  });

  it('is known to have ended from the shipped file alone', () => {
    expect(warningsFor('gpt-3.5-turbo')).toMatchObject([
      [{ model: 'gpt-3.5-turbo' }, expect.stringMatching(/removed/)],
    ]);
  });
});
