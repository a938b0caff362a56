import { readdir } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { readFileSync } from 'node:fs';
import { parquetWriteBuffer } from 'hyparquet-writer';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { Bench } from './converting.ts';

/** What quotes, line ends, empty fields and strange names make of a CSV. */
const STRANGE = 'a.b,"x,y",1,__proto__\n"1,5",,"two\nlines",é\n"say ""hi""",0,01,"\uFEFFz"\n';

describe('tables that go round', () => {
  it('come back byte by byte: CSV by Parquet, and by NDJSON, as text', async () => {
    await using bench = await Bench.make();
    await bench.write('a.csv', STRANGE);
    expect(await bench.convert('a.csv', 'b.parquet')).toMatchObject({ rows: 2 });
    expect(await bench.convert('b.parquet', 'c.csv.gz')).toMatchObject({ rows: 2 });
    expect(gunzipSync(readFileSync(bench.path('c.csv.gz'))).toString()).toBe(STRANGE);
    await bench.write('plain.csv', STRANGE.replace(',1,', ',one,'));
    await bench.convert('plain.csv', 'd.ndjson.gz');
    await bench.convert('d.ndjson.gz', 'e.csv');
    expect(await bench.text('e.csv')).toBe(await bench.text('plain.csv'));
  });

  it('have numbers and booleans by --types, where each is written back as it was', async () => {
    await using bench = await Bench.make();
    const csv =
      'whole,decimal,flag,padded,large,gap,mixed\n1,0.5,true,01,9007199254740993,,1\n-2,3,false,2,1,7,x\n';
    await bench.write('a.csv', csv);
    await bench.convert('a.csv', 'b.parquet', { types: true, nullText: '' });
    expect(await bench.parquet('b.parquet')).toEqual([
      { whole: 1n, decimal: 0.5, flag: true, padded: '01', large: '9007199254740993', gap: null, mixed: '1' },
      { whole: -2n, decimal: 3, flag: false, padded: '2', large: '1', gap: 7n, mixed: 'x' },
    ]);
    await bench.convert('b.parquet', 'c.ndjson');
    expect((await bench.text('c.ndjson')).split('\n')[0]).toBe(
      '{"whole":1,"decimal":0.5,"flag":true,"padded":"01","large":"9007199254740993","gap":null,"mixed":"1"}',
    );
    await bench.convert('c.ndjson', 'd.csv', { nullText: '' });
    expect(await bench.text('d.csv')).toBe(csv);
    await bench.convert('a.csv', 'e.ndjson');
    expect(JSON.parse((await bench.text('e.ndjson')).split('\n')[1] ?? '')).toMatchObject({
      whole: '-2',
      gap: '7',
    });
  });

  it('keep null and empty text apart, and nested types of NDJSON in the schema', async () => {
    await using bench = await Bench.make();
    const ndjson = '{"n":null,"t":"","f":1.5,"b":null}\n{"n":null,"t":null,"f":2,"b":true}\n';
    await bench.write('a.ndjson', ndjson);
    await bench.convert('a.ndjson', 'b.parquet');
    expect((await bench.schema('b.parquet')).map(({ type }) => type)).toEqual([
      'BYTE_ARRAY',
      'BYTE_ARRAY',
      'DOUBLE',
      'BOOLEAN',
    ]);
    await bench.convert('b.parquet', 'c.ndjson');
    expect(await bench.text('c.ndjson')).toBe(ndjson);
    expect(await bench.refusal('b.parquet', 'd.csv')).toBe(
      `Row 1: "n" is null, and CSV has only text. Say which text stands for null: --null ''.`,
    );
    expect(await bench.refusal('b.parquet', 'd.csv', { nullText: '' })).toMatch(
      /^Row 1: "t" is the very text/,
    );
    await bench.convert('b.parquet', 'd.csv', { nullText: 'NULL' });
    await bench.convert('d.csv', 'e.ndjson', { nullText: 'NULL', types: true });
    expect(await bench.text('e.ndjson')).toBe(ndjson);
  });

  it('keep the order over several row groups', async () => {
    await using bench = await Bench.make();
    const csv = `n\n${Array.from({ length: 120_001 }, (_, n) => n).join('\n')}\n`;
    await bench.write('a.csv', csv);
    await bench.convert('a.csv', 'b.parquet', { types: true });
    await bench.convert('b.parquet', 'c.csv');
    expect((await bench.text('c.csv')) === csv).toBe(true);
  });
});

describe('Parquet that others have written', () => {
  it('has its times as text with all digits, and a Z where they are in UTC', async () => {
    await using bench = await Bench.make();
    const time = (name: string, isAdjustedToUTC: boolean, unit: 'MILLIS' | 'MICROS' | 'NANOS') => ({
      name,
      type: 'INT64' as const,
      logical_type: { type: 'TIMESTAMP' as const, isAdjustedToUTC, unit },
    });
    const bytes = parquetWriteBuffer({
      schema: [
        { name: 'root', num_children: 4 },
        { name: 'day', type: 'INT32', converted_type: 'DATE' },
        time('ms', true, 'MILLIS'),
        time('us', false, 'MICROS'),
        time('ns', true, 'NANOS'),
      ],
      columnData: [
        { name: 'day', data: [new Date('2001-01-14'), new Date('1969-12-31')] },
        { name: 'ms', data: [0n, -1n] },
        { name: 'us', data: [979_455_900_000_007n, -1n] },
        { name: 'ns', data: [1_000_000_001n, -1n] },
      ],
    });
    await bench.write('a.parquet', new Uint8Array(bytes));
    expect(await bench.convert('a.parquet', 'b.csv')).toMatchObject({ rows: 2 });
    expect(await bench.text('b.csv')).toBe(
      'day,ms,us,ns\n' +
        '2001-01-14,1970-01-01T00:00:00.000Z,2001-01-14T07:05:00.000007,1970-01-01T00:00:01.000000001Z\n' +
        '1969-12-31,1969-12-31T23:59:59.999Z,1969-12-31T23:59:59.999999,1969-12-31T23:59:59.999999999Z\n',
    );
  });

  it.each([
    ['whole numbers beyond 2^53', 'INT64', [1n, 2n ** 53n], /^Row 2: "x" is a whole number beyond 2\^53/],
    ['NaN', 'DOUBLE', [Number.NaN], /^Row 1: "x" is NaN or infinite/],
    ['-0', 'DOUBLE', [-0], /^Row 1: "x" is -0/],
    ['bytes', 'BYTE_ARRAY', [new Uint8Array([255])], /^Column "x" is BYTE_ARRAY, which cannot/],
    ['JSON', 'JSON', [{ a: 1 }], /^Column "x" is JSON, which cannot/],
  ] as const)('is refused for %s', async (_, type, data, reason) => {
    await using bench = await Bench.make();
    const bytes = parquetWriteBuffer({ columnData: [{ name: 'x', data: [...data], type }] });
    await bench.write('a.parquet', new Uint8Array(bytes));
    expect(await bench.refusal('a.parquet', 'b.ndjson')).toMatch(reason);
    expect(await readdir(bench.folder)).toEqual(['a.parquet']);
  });

  it('is refused where it is cut off or damaged', async () => {
    await using bench = await Bench.make();
    const bytes = new Uint8Array(parquetWriteBuffer({ columnData: [{ name: 'x', data: ['one', 'two'] }] }));
    await bench.write('cut.parquet', bytes.subarray(0, 60));
    expect(await bench.refusal('cut.parquet', 'b.csv')).toMatch(/^The end of the file cannot be decoded: /);
    await bench.write(
      'no.parquet',
      new Uint8Array([...bytes.slice(0, 4), ...bytes.slice(4).fill(255, 0, 20)]),
    );
    expect(await bench.refusal('no.parquet', 'b.csv')).toMatch(/^Row group 1 cannot be decoded: /);
    expect(await readdir(bench.folder)).toEqual(['cut.parquet', 'no.parquet']);
  });
});

describe('text files that are refused', () => {
  it.each([
    ['a.csv', 'a,b\n1,2\n3\n', 'b.ndjson', /^Record 3, at byte 8, has 1 fields .*SW_FORMAT_RAGGED_ROW/],
    ['a.csv', 'a,a\n1,2\n', 'b.ndjson', /^Column 2 has the name of an earlier one: "a"/],
    ['a.csv', 'a,1\n1,2\n', 'b.ndjson', /^A column is named by a whole number/],
    ['a.csv', 'a,b\n', 'b.ndjson', /^There are columns and no rows/],
    ['a.csv', '', 'b.parquet', /^There are no columns/],
    ['a.csv.gz', 'a,b\n', 'b.parquet', /SW_FORMAT_GZIP_INVALID/],
    ['a.ndjson', '{"a":1}\n{"a":\n', 'b.csv', /^Record 2, at byte 8, .*SW_FORMAT_INVALID_JSON/],
    ['a.ndjson', '{"a":1}\n{"a":"1"}\n', 'b.csv', /^Record 2: "a" is text, and was a number before/],
    ['a.ndjson', '{"a":1}\n{}\n', 'b.csv', /^Record 2 has no "a"/],
    ['a.ndjson', '{"a":1}\n{"a":1,"b":2}\n', 'b.csv', /^Record 2 has "b", which the first record has not/],
    ['a.ndjson', '{"a":[1]}\n', 'b.parquet', /^Record 1: "a" is a list or an object/],
    ['a.ndjson', '[1]\n', 'b.parquet', /^Record 1 is no object/],
    ['a.ndjson', '{"a":9007199254740993}\n', 'b.parquet', /^Record 1: "a" is a whole number beyond 2\^53/],
    ['a.ndjson', '{"a":"\\ud800"}\n', 'b.parquet', /^Record 1: "a" has half of a surrogate pair/],
  ])('%s with %j, to %s', async (input, content, output, reason) => {
    await using bench = await Bench.make();
    await bench.write(input, content);
    expect(await bench.refusal(input, output)).toMatch(reason);
    expect(await readdir(bench.folder)).toEqual([input]);
  });

  it('are those whose output is there already, unless it may be replaced', async () => {
    await using bench = await Bench.make();
    await bench.write('a.csv', 'a\n1\n');
    await bench.write('b.ndjson', 'mine');
    expect(await bench.refusal('a.csv', 'b.ndjson')).toBe(
      'There is a file of that name already. --force replaces it.',
    );
    expect(await bench.text('b.ndjson')).toBe('mine');
    await bench.convert('a.csv', 'b.ndjson', { force: true });
    expect(await bench.text('b.ndjson')).toBe('{"a":"1"}\n');
    expect(await readdir(bench.folder)).toEqual(['a.csv', 'b.ndjson']);
  });

  it('are no outcome where the run is given up: nothing is left', async () => {
    await using bench = await Bench.make();
    await bench.write('a.csv', 'a\n1\n');
    const given = AbortSignal.abort(new Error('given up'));
    await expect(bench.convert('a.csv', 'b.ndjson', {}, given)).rejects.toThrow('given up');
    expect(await readdir(bench.folder)).toEqual(['a.csv']);
  });
});

describe('images', () => {
  it.each(['webp', 'avif'] as const)('become %s of the same size', async (format) => {
    await using bench = await Bench.make();
    const red = sharp({ create: { width: 40, height: 30, channels: 3, background: '#f00' } });
    await bench.write('a.png', await red.png().toBuffer());
    expect(await bench.convert('a.png', `b.${format}`)).toMatchObject({ rows: undefined });
    const { width, height, format: found } = await sharp(bench.path(`b.${format}`)).metadata();
    expect({ width, height, found }).toEqual({
      width: 40,
      height: 30,
      found: format === 'avif' ? 'heif' : format,
    });
  });

  it('are refused where they are none', async () => {
    await using bench = await Bench.make();
    await bench.write('a.jpg', 'no image');
    expect(await bench.refusal('a.jpg', 'b.webp')).toMatch(/^It is no image that can be decoded: /);
    expect(await readdir(bench.folder)).toEqual(['a.jpg']);
  });
});
