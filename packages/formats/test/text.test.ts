import { describe, expect, it } from 'vitest';
import { decodeLatin1 } from '../src/latin1.ts';
import { decodeText } from '../src/text.ts';

/** Each at every distance from a word's beginning, and from the end. */
function placed(middle: string | Buffer): Buffer[] {
  const all: Buffer[] = [];
  for (let before = 0; before < 9; before++) {
    for (let after = 0; after < 9; after++) {
      all.push(
        Buffer.concat([Buffer.from('a'.repeat(before)), Buffer.from(middle), Buffer.from('z'.repeat(after))]),
      );
    }
  }
  return all;
}

describe('decodeLatin1', () => {
  it('gives what Buffer gives, for each letter of Latin-1 at each place', () => {
    for (let code = 0x80; code < 0x100; code++) {
      for (const bytes of placed(String.fromCharCode(code)))
        expect(decodeLatin1(bytes)).toBe(bytes.toString('utf8'));
    }
    const all = Buffer.from(Array.from({ length: 256 }, (_, code) => String.fromCharCode(code)).join(''));
    expect(decodeLatin1(all)).toBe(all.toString('utf8'));
  });

  it('leaves to others what is beyond Latin-1, no UTF-8, or too long', () => {
    const broken = [[0x80], [0xbf], [0xc0, 0x80], [0xc1, 0xbf], [0xc3], [0xc3, 0x41], [0xc3, 0xc3], [0xff]];
    for (const middle of ['Ā', '€', '😀', ...broken.map((bytes) => Buffer.from(bytes))])
      for (const bytes of placed(middle)) expect(decodeLatin1(bytes)).toBeUndefined();
    expect(decodeLatin1(Buffer.from(`ü${'a'.repeat((32 << 10) - 2)}`))).toHaveLength((32 << 10) - 1);
    expect(decodeLatin1(Buffer.from(`ü${'a'.repeat((32 << 10) - 1)}`))).toBeUndefined();
  });

  it('holds on to nothing of the text before', () => {
    const first = decodeLatin1(Buffer.from('Zürich'));
    decodeLatin1(Buffer.from('Köln am Rhein'));
    expect(first).toBe('Zürich');
  });
});

describe('decodeText', () => {
  it('finds the byte that is none behind letters of Latin-1', () => {
    const bytes = Buffer.concat([Buffer.from('Zürich\nK'), Buffer.from([0xc3]), Buffer.from('ln')]);
    expect(decodeText(bytes, 'fail')).toEqual({ text: 'Zürich\n', isAscii: false, invalidAt: 9 });
    expect(decodeText(bytes, 'replace')).toEqual({ text: 'Zürich\nK\ufffdln', isAscii: false });
  });
});
