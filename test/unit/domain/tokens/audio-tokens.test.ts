import { describe, expect, it } from 'vitest';
import { audioTokens } from '../../../../src/domain/tokens/audio-tokens.ts';

function wav(bytesPerSecond: number, length: number) {
  const file = Buffer.alloc(length);
  file.write('RIFF....WAVEfmt ', 'latin1');
  file.writeUInt32LE(bytesPerSecond, 28);
  return file;
}

describe('audioTokens', () => {
  it('counts ten tokens a second from the header of a WAV file', () => {
    expect(audioTokens(wav(48_000, 96_000))).toEqual({ least: 20, likely: 20, most: 20 });
  });

  it('bounds other formats by the longest duration of their bytes', () => {
    expect(audioTokens(new Uint8Array(80_000))).toEqual({ least: 20, likely: 100, most: 800 });
  });

  it('rejects a WAV file without a rate or a complete header', () => {
    expect(audioTokens(wav(0, 80_000)).most).toBe(800);
    expect(audioTokens(wav(48_000, 96_000).subarray(0, 40)).most).toBe(1);
  });

  it('is zero without data', () => {
    expect(audioTokens(null)).toEqual({ least: 0, likely: 0, most: 0 });
  });
});
