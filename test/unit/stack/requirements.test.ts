import { describe, expect, it } from 'vitest';
import { javaMajor, neitherWayMessage } from '../../../scripts/stack/requirements.ts';

describe('the installed Java', () => {
  it.each([
    ['openjdk version "17.0.15" 2025-04-15', 17],
    ['openjdk version "25" 2025-09-16', 25],
    ['java version "1.8.0_402"', 8],
    ['', undefined],
  ])('of %j is release %s', (output, major) => {
    expect(javaMajor(output)).toBe(major);
  });
});

describe('the message when neither way works', () => {
  it('names both ways and what each lacks', () => {
    const message = neitherWayMessage(['docker is not installed'], ['java is 11', 'mvn is not installed']);
    expect(message).toContain('1. Docker with its compose plugin. Missing: docker is not installed.');
    expect(message).toContain('Missing: java is 11; mvn is not installed.');
  });
});
