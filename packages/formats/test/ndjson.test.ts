import { FormatError, ndjson } from '@streamweld/formats';
import { describe, expect, it } from 'vitest';
import { decode } from './decode.ts';

const SIZES = [1, 2, 3, 5, 8, 1 << 20];

describe('ndjson', () => {
  it('gives a value a line and leaves blank lines out', () => {
    const text = '\n{"a":1}\n \t\r\n[2]\r\n\n"x"\nnull\n1.5e3\n\n';
    for (const size of SIZES) {
      const { items, decoder } = decode(ndjson(), text, size);
      expect(items).toEqual([{ a: 1 }, [2], 'x', null, 1500]);
      expect(decoder.record).toBe(5);
    }
  });

  it('knows where each record ends, also among blank lines', () => {
    const { stops } = decode(ndjson(), '\n1\n\n22\n333\n\n', 1 << 20, { max: 1 });
    expect(stops.map((stop) => stop.offset)).toEqual([3, 7, 12]);
  });

  it('names record and byte of a line that is not JSON, after the records before it, and never quotes it', () => {
    const text = '{"a":1}\n\n{"secret": hunter2}\n{"b":1}\n';
    for (const size of SIZES) {
      const { items, error, decoder } = decode(ndjson(), text, size);
      expect(items).toEqual([{ a: 1 }]);
      expect(error).toBeInstanceOf(FormatError);
      expect(error).toMatchObject({ code: 'SW_FORMAT_INVALID_JSON', record: 2, offset: 9 });
      expect(decoder.offset).toBeLessThanOrEqual(9);
      const { message, cause, stack } = error as FormatError;
      expect(`${message} ${String(cause)} ${stack}`).not.toMatch(/hunter|secret/);
    }
  });

  it('does not take two broken lines for a whole one, nor a line with two values for two', () => {
    expect(decode(ndjson(), '[1\n2]\n').error).toMatchObject({ record: 1, offset: 0 });
    expect(decode(ndjson(), '[1],[2]\n[[1\n2]]\n').error).toMatchObject({ record: 1, offset: 0 });
    expect(decode(ndjson(), '1 2\n').error).toMatchObject({ code: 'SW_FORMAT_INVALID_JSON' });
  });

  it('35: says that the last line is cut off where a writer is still at it, and how far whole records go', () => {
    for (const size of SIZES) {
      const { items, error, decoder } = decode(ndjson(), '{"a":1}\n{"b":2}\n{"c":', size);
      expect(items).toEqual([{ a: 1 }, { b: 2 }]);
      expect(error).toMatchObject({ code: 'SW_FORMAT_TRUNCATED', record: 3, offset: 16 });
      expect(decoder.offset).toBe(16);
    }
  });

  it('35: waits for the rest of a line as long as the end is not said to have come', () => {
    const decoder = ndjson().decoder();
    decoder.push(Buffer.from('{"a":1}\n{"b":'));
    expect(decoder.take(9)).toEqual([{ a: 1 }]);
    expect(decoder.take(9)).toEqual([]);
    expect(decoder.offset).toBe(8);
    decoder.push(Buffer.from('2}\n'));
    expect(decoder.take(9)).toEqual([{ b: 2 }]);
    expect(decoder.offset).toBe(16);
  });

  it('35: takes a last line that is whole without its line end', () => {
    expect(decode(ndjson(), '1\n2').items).toEqual([1, 2]);
  });

  it('36: fails at nesting deeper than maxDepth, and survives a hundred thousand levels', () => {
    const deep = (levels: number): string => `${'['.repeat(levels)}${']'.repeat(levels)}\n`;
    expect(decode(ndjson(), `1\n${deep(100_000)}`).error).toMatchObject({
      code: 'SW_FORMAT_TOO_DEEP',
      record: 2,
      offset: 2,
    });
    expect(decode(ndjson({ maxDepth: 3 }), deep(3)).items).toEqual([[[[]]]]);
    expect(decode(ndjson({ maxDepth: 3 }), deep(4)).error).toMatchObject({ code: 'SW_FORMAT_TOO_DEEP' });
    expect(decode(ndjson({ maxDepth: 3 }), '{"a":{"b":[{}]}}\n').error).toMatchObject({
      code: 'SW_FORMAT_TOO_DEEP',
    });
    expect(decode(ndjson({ maxDepth: 200_000 }), deep(100_000)).items).toHaveLength(1);
  });

  it('36: counts no brackets within strings as nesting', () => {
    const text = '["[[[[", "\\"[[[[", "\\\\", "]]]]", {"[[[[": 1}]\n';
    expect(decode(ndjson({ maxDepth: 2 }), text).items).toEqual([JSON.parse(text)]);
  });

  it('36: makes __proto__ a property of its own and changes no prototype', () => {
    const [item] = decode(
      ndjson<Record<string, unknown>>(),
      '{"__proto__":{"evil":true},"constructor":1}\n',
    ).items;
    expect(Object.getPrototypeOf(item)).toBe(Object.prototype);
    expect(Object.keys(item as object)).toEqual(['__proto__', 'constructor']);
    expect((item as { evil?: unknown }).evil).toBeUndefined();
    expect(({} as { evil?: unknown }).evil).toBeUndefined();
  });

  it('36: lets the last of duplicate keys count, and rounds integers beyond 2^53, as JSON.parse does', () => {
    expect(decode(ndjson(), '{"a":1,"a":2}\n9007199254740993\n').items).toEqual([{ a: 2 }, 9007199254740992]);
  });

  it('28: names the byte that is not UTF-8, with the number of the record, not of the line', () => {
    const bytes = Buffer.concat([Buffer.from('1\n\n\n"x'), Buffer.from([0xff]), Buffer.from('"\n')]);
    for (const size of SIZES) {
      const { items, error } = decode(ndjson(), bytes, size);
      expect(items).toEqual([1]);
      expect(error).toMatchObject({ code: 'SW_FORMAT_INVALID_UTF8', record: 2, offset: 6 });
    }
  });

  it('30: numbers a line that is too long by records', () => {
    const { error } = decode(ndjson({ maxLineBytes: 4 }), '1\n\n\n12345\n', 1);
    expect(error).toMatchObject({ code: 'SW_FORMAT_LINE_TOO_LONG', record: 2, offset: 4 });
  });

  it('26: strips a byte order mark', () => {
    expect(decode(ndjson(), '\ufeff{"a":1}\n', 1).items).toEqual([{ a: 1 }]);
  });
});
