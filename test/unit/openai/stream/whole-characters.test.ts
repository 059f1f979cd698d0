import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WholeCharacters } from '../../../../src/adapters/openai/stream/whole-characters.ts';
import type { CompletionDelta } from '../../../../src/domain/completion/completion-delta.ts';
import { CompletionFold } from '../../../../src/domain/completion/fold-completion.ts';
import { delta } from '../../../support/fakes/fake-provider.ts';

const call = (index: number, text: string, id: string | null = null) => ({
  index,
  id,
  type: null,
  name: null,
  arguments: text,
  extraJson: null,
});
const audio = (transcript: string | null, id: string | null = null) => ({
  id,
  data: null,
  transcript,
  expiresAt: null,
});

function through(...deltas: CompletionDelta[]): CompletionDelta[] {
  const characters = new WholeCharacters();
  const given = deltas.map((one) => characters.take(one)).filter((one) => one !== null);
  return [...given, ...characters.end()];
}

describe('WholeCharacters', () => {
  it('passes whole text on as the same delta object', () => {
    const piece = delta({
      content: 'Grüße 🗼',
      refusal: 'no',
      toolCalls: [call(0, '{}')],
      audio: audio('hm'),
    });
    expect(new WholeCharacters().take(piece)).toBe(piece);
  });

  it('joins the halves of a character in any text', () => {
    const pieces = (half: string): CompletionDelta[] => [
      delta({ content: half }),
      delta({ refusal: half }),
      delta({ toolCalls: [call(0, half), call(1, half)] }),
      delta({ audio: audio(half) }),
    ];
    const given = through(...pieces('\ud83d'), ...pieces('\ude00'));
    expect(given.every((one) => JSON.stringify(one).isWellFormed())).toBe(true);
    expect(given).toEqual(pieces('😀'));
  });

  it('returns nothing for a piece that is only half a character, unless it has other members', () => {
    const characters = new WholeCharacters();
    expect(characters.take(delta({ content: '\ud83d' }))).toBeNull();
    expect(characters.take(delta({ toolCalls: [call(0, '\ud83d')], audio: audio('\ud83d') }))).toBeNull();
    expect(characters.take(delta({ refusal: '\ud83d', role: 'assistant' }))).toMatchObject({
      role: 'assistant',
      refusal: null,
    });
    expect(characters.take(delta({ toolCalls: [call(1, '\ud83d', 'call_1')] }))).toMatchObject({
      toolCalls: [{ id: 'call_1', arguments: '' }],
    });
    expect(characters.take(delta({ choiceIndex: 1, audio: audio('\ud83d', 'audio_1') }))).toMatchObject({
      audio: { id: 'audio_1', transcript: null },
    });
  });

  it('keeps texts separate: the half of one is not the partner of another', () => {
    const given = through(
      delta({ content: '\ud83d' }),
      delta({ choiceIndex: 1, content: '\ude00' }),
      delta({ refusal: '\ude00' }),
    );
    expect(given).toMatchObject([
      { choiceIndex: 1, content: '\uFFFD' },
      { choiceIndex: 0, refusal: '\uFFFD' },
      { choiceIndex: 0, content: '\uFFFD' },
    ]);
  });

  it('waits through pieces without text, and returns a half without its partner as U+FFFD', () => {
    const given = through(delta({ content: 'a\ud83d' }), delta({ finishReason: 'stop' }));
    expect(given).toMatchObject([{ content: 'a' }, { finishReason: 'stop' }, { content: '\uFFFD' }]);
    expect(through(delta({ content: '\ud83d' }), delta({ content: 'b' }))).toMatchObject([
      { content: '\uFFFDb' },
    ]);
    expect(
      through(delta({ refusal: '\ud83d' }), delta({ choiceIndex: 2, audio: audio('\ud83d') })),
    ).toMatchObject([
      { choiceIndex: 0, refusal: '\uFFFD' },
      { choiceIndex: 2, audio: { transcript: '\uFFFD' } },
    ]);
    expect(through(delta({ content: 'a\ude00b' }))).toMatchObject([{ content: 'a\uFFFDb' }]);
  });

  it('returns the well-formed text for any cut', () => {
    const unit = fc.constantFrom('a', 'é', '🗼', '\ud83d', '\ude00', '\ud83c', '\uddee');
    fc.assert(
      fc.property(fc.string({ unit }), fc.array(fc.nat(30)), (text, cuts) => {
        const bounds = [0, ...cuts.toSorted((a, b) => a - b), text.length];
        const pieces = bounds
          .slice(1)
          .map((end, index) => text.slice(bounds[index], Math.max(end, bounds[index] ?? 0)));
        const whole = pieces.join('');
        const given = through(...pieces.map((content) => delta({ content })));
        const fold = new CompletionFold();
        for (const one of given) fold.add(one);
        expect(fold.result()[0]?.content ?? '').toBe(whole.toWellFormed());
        expect(given.every(({ content }) => content.isWellFormed())).toBe(true);
      }),
    );
  });
});
