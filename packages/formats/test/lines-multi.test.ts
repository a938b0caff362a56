import { lines } from '@streamweld/formats';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decode, decodeCut, takeAll } from './decode.ts';

const SIZES = [1, 2, 3, 5, 7, 64, 1 << 20];
const log = lines({ recordStart: /^\d/ });

describe('lines with recordStart', () => {
  it('joins the lines of a record, wherever chunks are cut, and counts records', () => {
    const text = '1 failed\n  at a\n  at b\n2 ok\n3 failed\r\n  at ü\r\n';
    for (const size of SIZES) {
      const { items, decoder } = decode(log, text, size);
      expect(items).toEqual(['1 failed\n  at a\n  at b', '2 ok', '3 failed\n  at ü']);
      expect(decoder).toMatchObject({ record: 3, offset: Buffer.byteLength(text) });
    }
  });

  it('takes a function, takes what stands before the first record for one, and a last line without an end', () => {
    const format = lines({ recordStart: (line) => !line.startsWith(' ') });
    for (const size of SIZES)
      expect(decode(format, ' tail\n more\nA\n b\nB', size).items).toEqual([' tail\n more', 'A\n b', 'B']);
    expect(decode(format, '').items).toEqual([]);
  });

  it('stands only at ends of records, and goes on from each of them with exactly the rest', () => {
    const text = '\ufeff1 a\n b\r\n c\n2\n3 é\n €\n';
    const bytes = Buffer.from(text);
    const all = decode(log, bytes).items;
    const { stops } = decodeCut(log, bytes, [5, 9], { max: 1 });
    expect(stops.map(({ offset }) => offset)).toEqual([14, 16, bytes.length]);
    for (const { offset, record, taken } of stops) {
      const rest = decode(log, bytes.subarray(offset), 3, { at: { offset, record } });
      expect(rest.items).toEqual(all.slice(taken));
    }
  });

  it('holds the record whose end is not known, until flush takes its whole lines for it', () => {
    const decoder = log.decoder();
    decoder.push(Buffer.from('1 a\n b\n c'));
    expect(decoder.take(9)).toEqual([]);
    expect(decoder.offset).toBe(0);
    decoder.flush?.();
    expect(decoder.take(9)).toEqual(['1 a\n b']);
    expect(decoder.offset).toBe(7);
    decoder.push(Buffer.from('d\n2'));
    expect(decoder.take(9)).toEqual([]);
    decoder.end();
    expect(decoder.take(9)).toEqual([' cd', '2']);
    expect(lines().decoder().flush).toBeUndefined();
  });

  it('30: bounds a record as it bounds a line, after what is before it', () => {
    for (const size of SIZES) {
      const short = lines({ recordStart: /^\d/, maxLineBytes: 7 });
      const { items, error, decoder } = decode(short, '1 ok\n2 5\r\n 78\n3 5\n 789\n4\n', size);
      expect(items).toEqual(['1 ok', '2 5\n 78']);
      expect(error).toMatchObject({ code: 'SW_FORMAT_LINE_TOO_LONG', record: 3, offset: 14 });
      expect(decoder.offset).toBe(14);
      expect(decode(short, '1 5\n 789\n', size)).toMatchObject({ error: { record: 1, offset: 0 } });
    }
  });

  it('30: leaves long records out whole, whether they have many lines or a long one, and no other', () => {
    const format = lines({ recordStart: /^\d/, maxLineBytes: 7, onLongLine: 'skip' });
    const cases: [string, string[], number][] = [
      ['1 ok\n2 many\n x\n y\n z\n3 ok\n', ['1 ok', '3 ok'], 1],
      ['1 ok\n2 x\n much too long\n more\n3 ok\n', ['1 ok', '3 ok'], 1],
      ['1 ok\n2 much too long\n more\n3 ok\n', ['1 ok', '3 ok'], 1],
      ['1 ok\n2 much too long\n3 much too long\n4 ok', ['1 ok', '4 ok'], 1],
      ['1 ok\n2 much too long', ['1 ok'], 1],
      ['1 ok\n much too long', [], 1],
    ];
    for (const [text, expected, skipped] of cases) {
      for (const size of SIZES) {
        const { items, decoder } = decode(format, text, size);
        expect(items, text).toEqual(expected);
        expect(decoder.skipped).toBeGreaterThanOrEqual(skipped);
      }
    }
  });

  it('28: fails at what is not UTF-8, after the records before it', () => {
    const bytes = Buffer.concat([Buffer.from('1 a\n b\n2 c\n'), Uint8Array.of(0xff, 10)]);
    for (const size of SIZES) {
      const { items, error } = decode(log, bytes, size);
      expect(items).toEqual(['1 a\n b']);
      expect(error).toMatchObject({ code: 'SW_FORMAT_INVALID_UTF8', offset: 11 });
    }
  });

  it('gives for any text and cuts what joining its lines gives', () => {
    const line = fc.string({ unit: fc.constantFrom('1', ' ', 'a', 'é', '\r', '😀'), maxLength: 5 });
    fc.assert(
      fc.property(fc.array(line), fc.boolean(), fc.array(fc.nat(60)), (all, isTerminated, at) => {
        const bytes = Buffer.from(all.join('\n') + (isTerminated && all.length > 0 ? '\n' : ''));
        const cuts = [...new Set(at)].filter((cut) => cut < bytes.length).sort((a, b) => a - b);
        const expected: string[] = [];
        for (const one of decode(lines(), bytes).items) {
          if (expected.length === 0 || /^\d/.test(one)) expected.push(one);
          else expected.push(`${expected.pop()}\n${one}`);
        }
        const { items, stops } = decodeCut(log, bytes, cuts, { max: 2 });
        expect(items).toEqual(expected);
        for (const { offset, record, taken } of stops)
          expect(decode(log, bytes.subarray(offset), 4, { at: { offset, record } }).items).toEqual(
            expected.slice(taken),
          );
      }),
      { numRuns: 300 },
    );
  });

  it('refuses what cannot say where a record begins', () => {
    expect(() => lines({ recordStart: /^\d/g })).toThrow(/recordStart must be .* without the flags g and y/);
    expect(() => lines({ recordStart: '^\\d' as never })).toThrow(
      /recordStart must be a regular expression or/,
    );
  });

  it('keeps what was taken where more is pushed', () => {
    const decoder = log.decoder();
    const items: string[] = [];
    for (let index = 0; index < 20_000; index++) {
      decoder.push(Buffer.from(`${index}\n  at x\n`));
      takeAll(decoder, items, 100);
    }
    decoder.end();
    takeAll(decoder, items, 100);
    expect(items).toHaveLength(20_000);
    expect(items.at(-1)).toBe('19999\n  at x');
  });
});
