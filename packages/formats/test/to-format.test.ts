import {
  type CsvRecord,
  type Decoder,
  FORMAT_ERROR_CODES,
  type Format,
  FormatError,
  type FormatInput,
  type FormatItem,
  csv,
  lines,
  ndjson,
  toFormat,
} from '@streamweld/formats';
import { StreamWeldError } from '@streamweld/core/connector';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { decode } from './decode.ts';

interface Hit {
  readonly path: string;
}

describe('toFormat', () => {
  it('makes the format of a name with its options', () => {
    expect(toFormat('lines').name).toBe('lines');
    expect(toFormat('ndjson').contentType).toBe('application/x-ndjson');
    expect(decode(toFormat('csv', { delimiter: ';' }), 'a;b\n1;2\n').items).toEqual([{ a: '1', b: '2' }]);
    expect(decode(toFormat('bytes', { chunkBytes: 1 }), 'ab').items).toHaveLength(2);
  });

  it('answers a format that is handed over as it is', () => {
    const own: Format<number> = { ...ndjson<number>(), name: 'numbers' };
    expect(toFormat(own)).toBe(own);
  });

  it('refuses what is no format, options of another, and options beside a format', () => {
    expect(() => toFormat('xml' as 'lines')).toThrow(
      /format must be 'lines', 'ndjson', 'csv', 'bytes' or a format/,
    );
    expect(() => toFormat({} as Format<string>)).toThrow(/format must be/);
    expect(() => toFormat('lines', { delimiter: ';' } as object)).toThrow(/lines\.delimiter must be/);
    expect(() => toFormat(lines(), {} as never)).toThrow(/options must be left out/);
  });

  it('tells the types of what is read and written', () => {
    expectTypeOf(toFormat('lines').decoder()).toEqualTypeOf<Decoder<string>>();
    expectTypeOf<FormatItem<'csv'>>().toEqualTypeOf<Record<string, string>>();
    expectTypeOf<FormatInput<'csv'>>().toEqualTypeOf<CsvRecord>();
    expectTypeOf<FormatItem<'ndjson'>>().toBeUnknown();
    expectTypeOf<FormatItem<'bytes'>>().toEqualTypeOf<Uint8Array>();
    expectTypeOf<FormatItem<Format<Hit>>>().toEqualTypeOf<Hit>();
    expectTypeOf<FormatInput<Format<Hit>>>().toEqualTypeOf<Hit>();
    const rows = csv({ header: false });
    expectTypeOf<FormatItem<typeof rows>>().toEqualTypeOf<string[]>();
    expectTypeOf(toFormat(ndjson<Hit>()).decoder().take(1)).toEqualTypeOf<readonly Hit[]>();
    expectTypeOf(csv().encoder().encode).parameter(0).toEqualTypeOf<readonly CsvRecord[]>();
    // @ts-expect-error: the options of a name are checked
    void (() => toFormat('lines', { delimiter: ';' }));
  });
});

describe('FormatError', () => {
  it('counts as an error of StreamWeld, and every code has its sentence', () => {
    const error = new FormatError('SW_FORMAT_LINE_BREAK', 'x', { index: 3 });
    expect(error).toBeInstanceOf(StreamWeldError);
    expect(error).toMatchObject({ name: 'FormatError', code: 'SW_FORMAT_LINE_BREAK', index: 3 });
    expect('cause' in error).toBe(false);
    for (const [code, sentence] of Object.entries(FORMAT_ERROR_CODES)) {
      expect(code).toMatch(/^SW_FORMAT_[A-Z0-9_]+$/);
      expect(sentence).toMatch(/^[A-Z].*\.$/);
    }
  });
});
