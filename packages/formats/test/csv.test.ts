import { csv } from '@streamweld/formats';
import { describe, expect, it } from 'vitest';
import { decode } from './decode.ts';

const SIZES = [1, 2, 3, 5, 8, 13, 1 << 20];
const arrays = csv({ header: false });

describe('csv', () => {
  it('gives objects by the names in the header, arrays without one, and objects by names that are given', () => {
    expect(decode(csv(), 'a,b\n1,2\n').items).toEqual([{ a: '1', b: '2' }]);
    expect(decode(arrays, 'a,b\n1,2\n').items).toEqual([
      ['a', 'b'],
      ['1', '2'],
    ]);
    expect(decode(csv({ header: ['x', 'y'] }), 'a,b\n').items).toEqual([{ x: 'a', y: 'b' }]);
  });

  it('reads quotes, doubled quotes, delimiters and line ends in quoted fields, wherever chunks are cut', () => {
    const text = '\ufeff"n","t"\r\n1,"a, ""b""\r\nc"\r\n2,""\r\n\r\n"3",x\n"",","';
    const expected = [
      { n: '1', t: 'a, "b"\r\nc' },
      { n: '2', t: '' },
      { n: '3', t: 'x' },
      { n: '', t: ',' },
    ];
    for (const size of SIZES) expect(decode(csv(), text, size).items).toEqual(expected);
  });

  it('takes a quote within a field that does not begin with one as a character', () => {
    for (const size of SIZES) {
      expect(decode(arrays, '5" pipe,x\na"b"c, "d"\n"q",z\n', size).items).toEqual([
        ['5" pipe', 'x'],
        ['a"b"c', ' "d"'],
        ['q', 'z'],
      ]);
    }
  });

  it('keeps a carriage return that is quoted and drops the one that belongs to the line end', () => {
    for (const size of SIZES) {
      expect(decode(arrays, 'a,"b\r"\r\n"c",d\r\n"e","f\r"\n', size).items).toEqual([
        ['a', 'b\r'],
        ['c', 'd'],
        ['e', 'f\r'],
      ]);
    }
  });

  it('leaves blank lines out, and reads an empty field in quotes', () => {
    for (const size of SIZES) {
      expect(decode(arrays, '\na\n\r\n\n""\n\nb\n\n', size).items).toEqual([['a'], [''], ['b']]);
      expect(decode(arrays, '\na\n\r\n\nb\n\n', size).items).toEqual([['a'], ['b']]);
    }
  });

  it('reads other delimiters', () => {
    for (const delimiter of [';', '\t', '|', '^', ']', '-', '\\', '.', ' ']) {
      const text = `a${delimiter}"b${delimiter}c"\n${delimiter}d\n`;
      expect(decode(csv({ header: false, delimiter }), text, 2).items).toEqual([
        ['a', `b${delimiter}c`],
        ['', 'd'],
      ]);
    }
  });

  it('fails at a record with fewer or more fields, and names record, byte and both counts', () => {
    for (const size of SIZES) {
      for (const [text, fields, offset] of [
        ['a,b\n1,2\n3\n4,5\n', 1, 8],
        ['a,b\n1,2\n3,4,5\n6,7\n', 3, 8],
        ['a,b\n"1",2\n3\n4,5\n', 1, 10],
        ['a,b\n"1",2\n\n3,4,"5"\n', 3, 11],
        ['a,b\r\n1,2\r\n\r\n3,4,5\r\n', 3, 12],
      ] as const) {
        const { items, error, decoder } = decode(csv(), text, size);
        expect(items).toEqual([{ a: '1', b: '2' }]);
        expect(error).toMatchObject({ code: 'SW_FORMAT_RAGGED_ROW', record: 2, offset });
        expect((error as Error).message).toContain(`has ${fields} fields where there are 2 columns`);
        expect(decoder.record).toBe(1);
      }
    }
  });

  it('fails at a field that goes on after its closing quote', () => {
    for (const size of SIZES) {
      const { items, error } = decode(csv(), 'a,b\n1,2\n"3"4,5\n', size);
      expect(items).toEqual([{ a: '1', b: '2' }]);
      expect(error).toMatchObject({ code: 'SW_FORMAT_INVALID_CSV', record: 2, offset: 8 });
    }
  });

  it('26: takes a first field that only begins like a byte order mark for a plain one', () => {
    const bytes = Buffer.from([0xef, 0xbb, 0x22, 0x61, 0x0a, 0x62, 0x0a]);
    for (const size of SIZES) {
      const { items } = decode(csv({ header: false, invalidUtf8: 'replace', maxLineBytes: 4 }), bytes, size);
      expect(items).toEqual([['\ufffd"a'], ['b']]);
    }
  });

  it('35: says that the input is cut off where a quote is never closed', () => {
    for (const size of SIZES) {
      const { items, error, decoder } = decode(csv(), 'a,b\n1,2\n3,"4\n5,6\n', size);
      expect(items).toEqual([{ a: '1', b: '2' }]);
      expect(error).toMatchObject({ code: 'SW_FORMAT_TRUNCATED', record: 2, offset: 8 });
      expect(decoder.offset).toBe(8);
    }
  });

  it('28: names the byte that is not UTF-8, in pieces with and without quotes', () => {
    for (const before of ['a,b\n1,2\n', 'a,b\n1,"2"\n', 'a,b\n1,2\n"x\ny', 'é,b\n1,2\n']) {
      const bytes = Buffer.concat([Buffer.from(before), Buffer.from([0xff]), Buffer.from('",2\n3,"4"\n')]);
      for (const size of SIZES) {
        const { items, error } = decode(csv(), bytes, size);
        expect(items).toHaveLength(1);
        expect(error).toMatchObject({
          code: 'SW_FORMAT_INVALID_UTF8',
          record: 2,
          offset: Buffer.byteLength(before),
        });
      }
    }
  });

  it('30: bounds a quoted field that never ends', () => {
    const { error } = decode(csv({ maxLineBytes: 100 }), `a,b\n1,2\n"${'x\n'.repeat(1000)}`, 64);
    expect(error).toMatchObject({ code: 'SW_FORMAT_LINE_TOO_LONG', record: 2, offset: 8 });
  });

  it('30: leaves a record that is too long out as a whole, with the line ends in its quotes', () => {
    const format = csv({ maxLineBytes: 10, onLongLine: 'skip' });
    for (const size of SIZES) {
      const { items, decoder } = decode(format, 'a,b\n1,"x\nx\nx\nx\nx\nx"\n3,4\n', size);
      expect(items).toEqual([{ a: '3', b: '4' }]);
      expect(decoder.skipped).toBe(1);
    }
  });

  it('36: makes a column named __proto__ a property of its own', () => {
    for (const text of ['__proto__,b\n1,2\n', '"__proto__",b\n1,"2"\n']) {
      const [item] = decode(csv(), text).items;
      expect(Object.entries(item as object)).toEqual([
        ['__proto__', '1'],
        ['b', '2'],
      ]);
      expect(Object.getPrototypeOf(item)).toBe(Object.prototype);
    }
  });

  it('refuses a header that names a column twice', () => {
    expect(decode(csv(), 'a,b,a\n').error).toMatchObject({ code: 'SW_FORMAT_INVALID_HEADER' });
    expect(() => csv({ header: ['a', 'a'] })).toThrow(/header must be/);
    expect(() => csv({ header: [] })).toThrow(/header must be/);
  });

  it('resumes in the middle with the header of the decoder before it', () => {
    const text = 'é,b\n1,"2\n2"\n3,4\n5,6\n';
    const first = decode(csv(), text, 1 << 20, { max: 1 });
    expect(first.decoder.header).toEqual(['é', 'b']);
    for (const stop of first.stops) {
      const { offset, record, taken } = stop;
      const at = { offset, record, header: first.decoder.header };
      const rest = decode(csv(), Buffer.from(text).subarray(offset), 2, { at });
      expect([...first.items.slice(0, taken), ...rest.items]).toEqual(first.items);
      expect(rest.decoder.record).toBe(3);
    }
    expect(() => csv().decoder({ offset: 5 })).toThrow(/Give it the `header`/);
  });

  it('refuses a delimiter that cannot be told from the rest', () => {
    for (const delimiter of ['', ',,', '"', '\n', '\r', 'é', '§']) {
      expect(() => csv({ delimiter })).toThrow(/delimiter must be one ASCII character/);
    }
  });
});
