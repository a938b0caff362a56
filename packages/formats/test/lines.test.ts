import { bytes, lines } from '@streamweld/formats';
import { describe, expect, it } from 'vitest';
import { decode, decodeCut, takeAll } from './decode.ts';

const SIZES = [1, 2, 3, 4, 5, 7, 64, 1 << 20];

describe('lines', () => {
  it('26: strips a byte order mark once, and only at the beginning', () => {
    const text = '\ufeffa\n\ufeffb\n';
    for (const size of SIZES) expect(decode(lines(), text, size).items).toEqual(['a', '\ufeffb']);
    expect(decode(lines(), '\ufeff\ufeffa\n').items).toEqual(['\ufeffa']);
    expect(decode(lines(), '\ufeff').items).toEqual([]);
    expect(decode(lines(), '\ufeff\n').items).toEqual(['']);
  });

  it('26: counts the byte order mark in the offset, and looks for none where it resumes', () => {
    const bytes = Buffer.from('\ufeffa\n\ufeffb\n');
    const first = decode(lines(), bytes, 1 << 20, { max: 1 });
    expect(first.stops[0]).toEqual({ offset: 5, record: 1, taken: 1 });
    const rest = decode(lines(), bytes.subarray(5), 1 << 20, { at: { offset: 5, record: 1 } });
    expect(rest.items).toEqual(['\ufeffb']);
    expect(rest.decoder.offset).toBe(bytes.length);
  });

  it('26: keeps a first character that only begins like a byte order mark', () => {
    for (const size of SIZES) {
      expect(decode(lines(), '\ufec0x\n', size).items).toEqual(['\ufec0x']);
      expect(decode(lines(), '\ufec0', size).items).toEqual(['\ufec0']);
    }
    expect(decode(lines(), Uint8Array.of(0xef, 0xbb), 1).error).toMatchObject({ offset: 0, record: 1 });
  });

  it('27: takes CRLF for one line end and a lone CR for none, wherever chunks are cut', () => {
    const text = 'one\r\ntwo\rstill two\r\r\n\r\n\nthree';
    const expected = ['one', 'two\rstill two\r', '', '', 'three'];
    for (let size = 1; size <= text.length; size++)
      expect(decode(lines(), text, size).items).toEqual(expected);
  });

  it('27: gives the last line without a line end, and no empty one after a line end', () => {
    for (const size of SIZES) {
      expect(decode(lines(), 'a\nb', size).items).toEqual(['a', 'b']);
      expect(decode(lines(), 'a\nb\n', size).items).toEqual(['a', 'b']);
      expect(decode(lines(), 'a\nb\r', size).items).toEqual(['a', 'b\r']);
    }
  });

  it('28: fails at the exact byte that is not UTF-8, after the lines before it', () => {
    const invalid: [string, number[]][] = [
      ['a lone continuation', [0x80]],
      ['an overlong form', [0xc0, 0xaf]],
      ['an overlong form of three', [0xe0, 0x9f, 0xbf]],
      ['a surrogate', [0xed, 0xa0, 0x80]],
      ['beyond U+10FFFF', [0xf4, 0x90, 0x80, 0x80]],
      ['a character cut short', [0xe2, 0x82]],
      ['Latin-1', [0xfc]],
    ];
    for (const [name, bad] of invalid) {
      const head = Buffer.from('good\nünd ');
      const bytes = Buffer.concat([head, Buffer.from(bad), Buffer.from(' x\nnext\n')]);
      for (const size of SIZES) {
        const { items, error, decoder } = decode(lines(), bytes, size);
        expect(items, name).toEqual(['good']);
        expect(error, name).toMatchObject({ code: 'SW_FORMAT_INVALID_UTF8', offset: head.length, record: 2 });
        expect(decoder.offset).toBe(5);
        expect(() => decoder.take(1)).toThrow(/Record 2 is not UTF-8: the byte at 10 /);
      }
    }
  });

  it('28: puts U+FFFD in the place of what is not UTF-8 where asked to, as TextDecoder does', () => {
    const bytes = Buffer.from([0x61, 0xff, 0x0a, 0xe2, 0x82, 0x0a, 0xed, 0xa0, 0x80, 0x0d, 0x0a, 0x62]);
    const expected = new TextDecoder().decode(bytes).split(/\r?\n/);
    for (const size of SIZES) {
      const { items, stops } = decode(lines({ invalidUtf8: 'replace' }), bytes, size, { max: 1 });
      expect(items).toEqual(expected);
      expect(stops.map((stop) => stop.offset)).toEqual([3, 6, 11, 12]);
    }
  });

  it('29: joins a character that is cut between chunks', () => {
    const text = 'é€😀\n'.repeat(5);
    for (let size = 1; size < 12; size++) {
      expect(decode(lines(), text, size).items).toEqual(Array.from({ length: 5 }, () => 'é€😀'));
    }
  });

  it('30: fails at a line longer than maxLineBytes, after the lines before it, and names where it begins', () => {
    for (const size of SIZES) {
      const { items, error } = decode(lines({ maxLineBytes: 5 }), 'ok\n12345\r\n123456\nok\n', size);
      expect(items).toEqual(['ok', '12345']);
      expect(error).toMatchObject({ code: 'SW_FORMAT_LINE_TOO_LONG', offset: 10, record: 3 });
    }
  });

  it('30: leaves longer lines out and counts them where asked to', () => {
    const format = lines({ maxLineBytes: 5, onLongLine: 'skip' });
    for (const size of SIZES) {
      const { items, decoder, stops } = decode(
        format,
        '123456\nok\n12345\r\n1234567\r\nok\n123456789',
        size,
        { max: 1 },
      );
      expect(items).toEqual(['ok', '12345', 'ok']);
      expect(decoder.skipped).toBe(3);
      expect(decoder.record).toBe(3);
      expect(stops.map((stop) => stop.offset)).toEqual([10, 17, 29]);
    }
  });

  it('30: measures a line without its line end and without the byte order mark', () => {
    for (const size of SIZES) {
      const exact = decode(lines({ maxLineBytes: 4 }), '\ufeff1234\r\n1234\r\n1234\n1234', size);
      expect(exact.items).toEqual(['1234', '1234', '1234', '1234']);
      expect(decode(lines({ maxLineBytes: 4 }), '1234\r', size).error).toMatchObject({ offset: 0 });
    }
  });

  it('31: keeps NUL bytes', () => {
    expect(decode(lines(), 'a\0b\n\0\n', 2).items).toEqual(['a\0b', '\0']);
  });

  it('31: gives nothing for an empty input', () => {
    expect(decode(lines(), '').items).toEqual([]);
    expect(decode(lines(), '').decoder.offset).toBe(0);
  });

  it('31: counts ten million empty lines exactly', () => {
    const decoder = lines().decoder();
    const chunk = Buffer.alloc(100_000, '\n');
    let count = 0;
    for (let pushed = 0; pushed < 100; pushed++) {
      decoder.push(chunk);
      for (let items = decoder.take(10_000); items.length > 0; items = decoder.take(10_000))
        count += items.length;
    }
    decoder.end();
    expect(decoder.take(1)).toEqual([]);
    expect(count).toBe(10_000_000);
    expect(decoder.record).toBe(10_000_000);
    expect(decoder.offset).toBe(10_000_000);
  });
});

describe('Decoder.take', () => {
  it('answers as many as asked for where there are as many', () => {
    const decoder = lines().decoder();
    decoder.push(Buffer.from('x\n'.repeat(50_000)));
    for (const max of [20_000, 1, 999, 20_000, 9000]) expect(decoder.take(max)).toHaveLength(max);
    expect(decoder.take(1000)).toEqual([]);
  });

  it('gives what is behind several chunks that were pushed at once', () => {
    const decoder = lines().decoder();
    for (const part of ['a\nb', '', '\nc', 'd\n']) decoder.push(Buffer.from(part));
    decoder.end();
    const items: string[] = [];
    takeAll(decoder, items, 10);
    expect(items).toEqual(['a', 'b', 'cd']);
  });

  it('hands out arrays that are the taker’s: what is done to them changes nothing', () => {
    const decoder = lines().decoder();
    decoder.push(Buffer.from('a\nb\nc\nd\n'));
    const first = decoder.take(2) as string[];
    first.length = 0;
    expect(decoder.take(2)).toEqual(['c', 'd']);
    expect(decoder.offset).toBe(8);
  });

  it('knows the offset of each line also where characters have several bytes and lines end in CRLF', () => {
    for (const text of ['a\nbc\n\ndef\n', 'é\n€€\n\nx\n', 'a\r\nbc\r\n\r\nd\n', 'é\r\n€\n']) {
      const bytes = Buffer.from(text);
      const { stops } = decodeCut(lines(), bytes, [], { max: 1 });
      const ends = [...bytes.entries()].filter(([, byte]) => byte === 10).map(([index]) => index + 1);
      expect(stops.map((stop) => stop.offset)).toEqual(ends);
    }
  });

  it('throws the same again once it has thrown, and takes nothing more after its end', () => {
    const { decoder, error } = decode(lines(), Uint8Array.of(0x61, 0x0a, 0xff, 0x0a, 0x62));
    for (let again = 0; again < 2; again++) expect(() => decoder.take(1)).toThrow(error as Error);
    for (const format of [lines(), bytes()]) {
      const ended = format.decoder();
      ended.end();
      expect(() => ended.push(Buffer.from('x'))).toThrow(
        expect.objectContaining({ code: 'SW_FORMAT_CLOSED' }),
      );
    }
  });

  it('refuses a max that is no whole number of at least 1', () => {
    for (const max of [0, -1, 1.5, Number.NaN])
      expect(() => lines().decoder().take(max)).toThrow(/max must be/);
  });
});

describe('options of lines', () => {
  it('says which option, what is expected and what was given', () => {
    expect(() => lines({ maxLineBytes: 0 })).toThrow(
      'maxLineBytes must be a whole number of at least 1, got 0.',
    );
    expect(() => lines({ maxLineBytes: 2 ** 30 })).toThrow(/at most 536870888/);
    expect(() => lines({ onLongLine: 'drop' as 'skip' })).toThrow(
      /onLongLine must be 'fail' or 'skip', got "drop"/,
    );
    expect(() => lines({ maxLine: 1 } as object)).toThrow(/lines\.maxLine must be one of its known options/);
    expect(() => lines().decoder({ offset: -1 })).toThrow(/offset must be/);
  });
});
