import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readImageSize } from '../../../../src/domain/tokens/image-size.ts';

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');
const size = { width: 800, height: 600 };
const webp = (kind: string, rest: string) =>
  Buffer.concat([
    Buffer.from('RIFF\0\0\0\0WEBP', 'latin1'),
    Buffer.from(kind, 'latin1'),
    hex(rest),
    Buffer.alloc(8),
  ]);

const files = {
  PNG: hex('89504e47 0d0a1a0a 0000000d 49484452 00000320 00000258 0806'),
  GIF: hex('474946383961 2003 5802'),
  'lossy WebP': webp('VP8 ', '00000000 000000 9d012a 2003 5802'),
  'lossless WebP': webp('VP8L', '00000000 2f 1fc39500'),
  'extended WebP': webp('VP8X', '0a000000 00000000 1f0300 570200'),
  JPEG: hex('ffd8 ffe0 0004 0000 ffff ffc2 0011 08 0258 0320 03'),
  'JPEG with tables first': hex('ffd8 ffc4 0003 00 ffdb 0003 00 ffc0 0011 08 0258 0320 03'),
};

describe('readImageSize', () => {
  it.each(Object.entries(files))('reads the size of a %s file', (_kind, file) => {
    expect(readImageSize(file)).toEqual(size);
  });

  it.each(Object.entries(files))('returns null for a %s file that ends before its size', (_kind, file) => {
    expect(readImageSize(file.subarray(0, 9))).toBeNull();
  });

  it.each([
    ['an empty file', ''],
    ['a PNG file without any pixels', '89504e470d0a1a0a0000000d49484452 00000000 00000258 08'],
    ['a WebP file of another kind', Buffer.from('RIFF\0\0\0\0WEBPANIM').toString('hex') + '00'.repeat(20)],
    ['a JPEG file that loses its way', 'ffd8 ffe0 0004 0000 0000 0000 0000 0000 0000'],
    ['text', Buffer.from('no image at all, but long enough to be one').toString('hex')],
  ])('returns null for %s', (_what, file) => {
    expect(readImageSize(hex(file))).toBeNull();
  });

  it('returns a result for any bytes', () => {
    const heads = fc.constantFrom(
      ...Object.values(files).map((file) => Uint8Array.from(file.subarray(0, 16))),
    );
    fc.assert(
      fc.property(heads, fc.uint8Array({ maxLength: 60 }), (head, rest) => {
        const size = readImageSize(Uint8Array.from([...head, ...rest]));
        expect(size === null || (size.width > 0 && size.height > 0)).toBe(true);
      }),
    );
  });
});
