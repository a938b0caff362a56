import { type CsvRecord, csv, type Encoder, lines, ndjson } from '@streamweld/formats';
import { describe, expect, it } from 'vitest';

const text = <I>(encoder: Encoder<I>, ...batches: (readonly I[])[]): string =>
  [...batches.map((items) => encoder.encode(items)), encoder.end()]
    .map((bytes) => Buffer.from(bytes).toString())
    .join('');

function expectFailure(run: () => unknown, code: string, index: number): void {
  expect(run).toThrow(expect.objectContaining({ code, index }));
}

describe('encoder of lines', () => {
  it('ends each line with a line feed', () => {
    expect(text(lines().encoder(), ['a', ''], [], ['ü'])).toBe('a\n\nü\n');
  });

  it('refuses what would be read back as something else, by its index', () => {
    const encoder = lines().encoder();
    expectFailure(() => encoder.encode(['a', 'b\nc']), 'SW_FORMAT_LINE_BREAK', 1);
    expectFailure(() => encoder.encode(['a\r']), 'SW_FORMAT_LINE_BREAK', 0);
    expectFailure(() => encoder.encode(['a', 'b', '\ud800']), 'SW_FORMAT_INVALID_ITEM', 2);
    expectFailure(() => encoder.encode(['a', 7 as never]), 'SW_FORMAT_INVALID_ITEM', 1);
    expect(text(encoder, ['a\rb'])).toBe('a\rb\n');
  });
});

describe('encoder of ndjson', () => {
  it('ends each value with a line feed', () => {
    expect(text(ndjson().encoder(), [{ a: 'x\ny' }, null], [[1]])).toBe('{"a":"x\\ny"}\nnull\n[1]\n');
  });

  it('refuses what JSON cannot write, by its index, and keeps the cause', () => {
    const encoder = ndjson().encoder();
    const cycle: { self?: unknown } = {};
    cycle.self = cycle;
    expectFailure(() => encoder.encode([1, undefined]), 'SW_FORMAT_INVALID_ITEM', 1);
    expectFailure(() => encoder.encode([() => 1]), 'SW_FORMAT_INVALID_ITEM', 0);
    expectFailure(() => encoder.encode([1, 2, { big: 1n }]), 'SW_FORMAT_INVALID_ITEM', 2);
    expectFailure(() => encoder.encode([cycle]), 'SW_FORMAT_INVALID_ITEM', 0);
    expectFailure(() => encoder.encode([1, { toJSON: () => undefined }]), 'SW_FORMAT_INVALID_ITEM', 1);
    expect(() => encoder.encode([cycle])).toThrow(
      expect.objectContaining({ cause: expect.any(TypeError) as unknown }),
    );
  });

  it('writes half a surrogate pair as an escape, which UTF-8 can carry', () => {
    expect(text(ndjson().encoder(), ['\ud800'])).toBe('"\\ud800"\n');
  });
});

describe('encoder of csv', () => {
  it('writes a header with the first items, and quotes what needs it', () => {
    const items: CsvRecord[] = [
      { 'a,b': 'x', n: 1 },
      { n: null, 'a,b': 'say "hi"\r\n' },
      { n: 10n },
      { 'a,b': '\ufeff', n: true },
    ];
    expect(text(csv().encoder(), [], items.slice(0, 1), items.slice(1))).toBe(
      '"a,b",n\nx,1\n"say ""hi""\r\n",\n,10\n"\ufeff",true\n',
    );
  });

  it('writes no header for columns that are given, nor for arrays', () => {
    expect(text(csv({ header: ['b', 'a'] }).encoder(), [{ a: 1, b: 2 }, {}])).toBe('2,1\n,\n');
    expect(
      text(csv({ header: false }).encoder(), [
        ['a', 1],
        ['', ''],
      ]),
    ).toBe('a,1\n,\n');
  });

  it('writes a lone empty field in quotes, for a blank line is no record', () => {
    expect(text(csv({ header: false }).encoder(), [[''], ['x']])).toBe('""\nx\n');
    expect(text(csv().encoder(), [{ a: '' }])).toBe('a\n""\n');
  });

  it('quotes for its own delimiter, in numbers too', () => {
    expect(text(csv({ header: false, delimiter: '-' }).encoder(), [[-1, 'a,b']])).toBe('"-1"-a,b\n');
    for (const delimiter of [']', '\\', '^']) {
      expect(text(csv({ header: false, delimiter }).encoder(), [[`a${delimiter}`, 'b']])).toBe(
        `"a${delimiter}"${delimiter}b\n`,
      );
    }
  });

  it('refuses what would lose something, by its index, and has then changed nothing', () => {
    const encoder = csv().encoder();
    expectFailure(() => encoder.encode([{ a: 1 }, { a: 1, b: 2 }]), 'SW_FORMAT_INVALID_ITEM', 1);
    expectFailure(() => encoder.encode([{ a: new Date() as never }]), 'SW_FORMAT_INVALID_ITEM', 0);
    expectFailure(() => encoder.encode([{ a: 1 }, ['x'] as never]), 'SW_FORMAT_INVALID_ITEM', 1);
    expectFailure(() => encoder.encode([{ a: 1 }, { a: '\udc00' }]), 'SW_FORMAT_INVALID_ITEM', 1);
    expectFailure(() => encoder.encode([{}]), 'SW_FORMAT_INVALID_ITEM', 0);
    expect(text(encoder, [{ b: 1 }])).toBe('b\n1\n');
    expectFailure(
      () =>
        csv({ header: false })
          .encoder()
          .encode([['a'], ['a', 'b']]),
      'SW_FORMAT_RAGGED_ROW',
      1,
    );
    expectFailure(() => csv({ header: false }).encoder().encode([[]]), 'SW_FORMAT_INVALID_ITEM', 0);
  });

  it('goes on behind a document of which it is given the header, and says the header it has', () => {
    const first = csv().encoder();
    expect(first.header).toBeUndefined();
    expect(text(first, [{ a: 1, b: 2 }])).toBe('a,b\n1,2\n');
    expect(first.header).toEqual(['a', 'b']);
    const second = csv().encoder({ header: ['a', 'b'] });
    expect(text(second, [{ b: 4, a: 3 }])).toBe('3,4\n');
    expectFailure(() => second.encode([{ c: 1 }]), 'SW_FORMAT_INVALID_ITEM', 0);
    expect(second.header).toEqual(['a', 'b']);
    expect(() => csv().encoder({ header: ['a', 'a'] })).toThrow(/header must be/);
    // Columns that the file does not name are those of the format, whatever it is given.
    const unnamed = csv({ header: ['b', 'a'] }).encoder({ header: ['x'] });
    expect(text(unnamed, [{ a: 1, b: 2 }])).toBe('2,1\n');
    expect([unnamed.header, csv({ header: false }).encoder().header]).toEqual([undefined, undefined]);
  });
});
