import { describe, expect, it } from 'vitest';
import { harmless, shortened } from '../../src/shared/text.ts';

describe('harmless', () => {
  it('shows what would steer a terminal, and obeys none of it', () => {
    expect(harmless('a\u001b[2Jb\r\nc\u0007\u007f')).toBe('a␛[2Jb␍␊c␇␡');
    expect(harmless('\u009b31m \u202egnp.exe \u200b\u2066\ufeff')).toBe('�31m �gnp.exe ���');
    expect(harmless('half \ud83d of one')).toBe('half � of one');
  });

  it('leaves every other letter as it is', () => {
    const text = 'größe 日本語 🚀 "quoted" <b> a‑b';
    expect(harmless(text)).toBe(text);
  });
});

describe('shortened', () => {
  it('cuts between characters, not within one', () => {
    expect(shortened('abcdef', 6)).toBe('abcdef');
    expect(shortened('abcdef', 4)).toBe('abc…');
    expect(shortened('🚀🚀🚀🚀', 3)).toBe('🚀🚀…');
  });
});
