/**
 * Whatever the bytes and wherever they are cut, a decoder gives what a simple one gives that sees all at once, and it
 * gives exactly the rest from each offset it reports.
 */

import { csv, type Format, lines, ndjson } from '@streamweld/formats';
import fc from 'fast-check';
import Papa from 'papaparse';
import { describe, expect, it } from 'vitest';
import { type Decoded, decodeCut } from './decode.ts';

const RUNS = { numRuns: 400 };

/** Text made of what matters: line ends, quotes, delimiters, characters of one to four bytes. */
const dirtyText = (alphabet: readonly string[]): fc.Arbitrary<string> =>
  fc.array(fc.constantFrom(...alphabet), { maxLength: 60 }).map((parts) => parts.join(''));

const LINE_ALPHABET = ['a', 'b c', '\n', '\n', '\r', '\r\n', '\0', 'é', '€', '😀', '\ufeff'];
const CSV_ALPHABET = ['a', 'b', ',', ',', '\n', '\r\n', '"', '""', 'é', ' '];

const cutsOf = (bytes: Uint8Array): fc.Arbitrary<number[]> =>
  fc.array(fc.nat({ max: bytes.length }), { maxLength: 12 }).map((cuts) => cuts.sort((a, b) => a - b));

const withCuts = (bytes: fc.Arbitrary<Uint8Array>): fc.Arbitrary<[Uint8Array, number[]]> =>
  bytes.chain((value) => fc.tuple(fc.constant(value), cutsOf(value)));

const bytesOf = (text: fc.Arbitrary<string>): fc.Arbitrary<Uint8Array> =>
  text.map((value) => Buffer.from(value));

/** Lines as one would write it in five minutes, over all bytes at once. */
function simpleLines(bytes: Uint8Array, maxLineBytes = Number.POSITIVE_INFINITY): string[] {
  const all = Buffer.from(bytes)
    .toString('latin1')
    .replace(/^\u00ef\u00bb\u00bf/, '');
  const parts = all.split('\n');
  const last = parts.pop() as string;
  return [...parts.map((line) => line.replace(/\r$/, '')), ...(last === '' ? [] : [last])]
    .filter((line) => line.length <= maxLineBytes)
    .map((line) => Buffer.from(line, 'latin1').toString());
}

/** What a decoding came to, for comparison: items, counts and the error's numbers. */
function outcome(decoded: Decoded<unknown>): unknown {
  const { code, record, offset } = (decoded.error ?? {}) as {
    code?: string;
    record?: number;
    offset?: number;
  };
  return {
    items: decoded.items,
    taken: decoded.decoder.record,
    skipped: decoded.decoder.skipped,
    code,
    record,
    offset,
  };
}

function expectRestFromEachStop(
  format: Format<unknown, never>,
  bytes: Uint8Array,
  whole: Decoded<unknown>,
): void {
  for (const { offset, record, taken } of whole.stops) {
    const at = { offset, record, header: whole.decoder.header };
    const rest = decodeCut(format, bytes.subarray(offset), [], { at });
    expect([...whole.items.slice(0, taken), ...rest.items]).toEqual(whole.items);
    expect(rest.decoder.record).toBe(whole.decoder.record);
    expect((rest.error as { offset?: number } | undefined)?.offset).toBe(
      (whole.error as typeof rest.error as { offset?: number } | undefined)?.offset,
    );
  }
}

describe('lines, for any bytes and cuts', () => {
  it('27, 29: gives what a simple splitter of the whole gives', () => {
    fc.assert(
      fc.property(
        withCuts(bytesOf(dirtyText(LINE_ALPHABET))),
        fc.integer({ min: 1, max: 5 }),
        ([bytes, cuts], max) => {
          expect(decodeCut(lines(), bytes, cuts, { max }).items).toEqual(simpleLines(bytes));
        },
      ),
      RUNS,
    );
  });

  it('30: leaves out exactly the lines that are too long', () => {
    fc.assert(
      fc.property(
        withCuts(bytesOf(dirtyText(LINE_ALPHABET))),
        fc.integer({ min: 1, max: 12 }),
        ([bytes, cuts], maxLineBytes) => {
          const format = lines({ maxLineBytes, onLongLine: 'skip' });
          const { items, decoder } = decodeCut(format, bytes, cuts);
          expect(items).toEqual(simpleLines(bytes, maxLineBytes));
          expect(decoder.skipped).toBe(simpleLines(bytes).length - items.length);
        },
      ),
      RUNS,
    );
  });

  it('28: fails at the same record and byte wherever chunks are cut, and there is where TextDecoder fails', () => {
    const dirtyBytes = fc
      .uint8Array({ maxLength: 40 })
      .map((bytes) => bytes.map((byte) => (byte % 7 === 0 ? 10 : byte)));
    fc.assert(
      fc.property(withCuts(dirtyBytes), ([bytes, cuts]) => {
        const decoded = decodeCut(lines(), bytes, cuts);
        expect(outcome(decoded)).toEqual(outcome(decodeCut(lines(), bytes, [])));
        const isValid = (part: Uint8Array): boolean =>
          Buffer.from(part).toString('utf8').indexOf('\ufffd') < 0;
        const offset = (decoded.error as { offset?: number } | undefined)?.offset;
        if (offset === undefined)
          expect(() => new TextDecoder('utf-8', { fatal: true }).decode(bytes)).not.toThrow();
        else
          expect([isValid(bytes.subarray(0, offset)), isValid(bytes.subarray(0, offset + 4))]).toEqual([
            true,
            false,
          ]);
      }),
      RUNS,
    );
  });

  it('gives exactly the rest from each offset it reports', () => {
    fc.assert(
      fc.property(
        withCuts(bytesOf(dirtyText(LINE_ALPHABET))),
        fc.integer({ min: 1, max: 3 }),
        ([bytes, cuts], max) => {
          expectRestFromEachStop(lines(), bytes, decodeCut(lines(), bytes, cuts, { max }));
        },
      ),
      RUNS,
    );
  });

  it('does so beyond pieces and chunks of many KiB too', () => {
    const longText = fc
      .array(fc.tuple(fc.constantFrom('a', 'é', '\r'), fc.nat({ max: 40_000 })), { maxLength: 8 })
      .map((parts) => parts.map(([text, count]) => text.repeat(count)).join('\r\n'));
    fc.assert(
      fc.property(withCuts(bytesOf(longText)), ([bytes, cuts]) => {
        expect(decodeCut(lines(), bytes, cuts, { max: 100 }).items).toEqual(simpleLines(bytes));
      }),
      { numRuns: 60 },
    );
  });

  it('gives back what its encoder wrote', () => {
    const line = fc.string({ unit: 'grapheme' }).filter((text) => !/\n|\r$/.test(text));
    fc.assert(
      fc.property(
        fc.array(fc.oneof(line, fc.constant('\ufeffx'))),
        fc.integer({ min: 1, max: 9 }),
        (items, size) => {
          const encoder = lines().encoder();
          const bytes = Buffer.concat([
            encoder.encode(items.slice(0, 2)),
            encoder.encode(items.slice(2)),
            encoder.end(),
          ]);
          const cuts = Array.from({ length: Math.floor(bytes.length / size) }, (_, index) => index * size);
          expect(decodeCut(lines(), bytes, cuts).items).toEqual(items);
        },
      ),
      RUNS,
    );
  });
});

describe('ndjson, for any values and cuts', () => {
  const values = fc.array(fc.jsonValue(), { maxLength: 8 });

  it('gives back what its encoder wrote, and the rest from each offset', () => {
    fc.assert(
      fc.property(
        values.chain((items) =>
          fc.tuple(fc.constant(items), withCuts(fc.constant(ndjson().encoder().encode(items)))),
        ),
        ([items, [bytes, cuts]]) => {
          const decoded = decodeCut(ndjson(), bytes, cuts, { max: 1 });
          expect(decoded.items).toEqual(items.map((item) => JSON.parse(JSON.stringify(item)) as unknown));
          expectRestFromEachStop(ndjson(), bytes, decoded);
        },
      ),
      RUNS,
    );
  });

  it('35: fails at the same record and byte wherever chunks are cut', () => {
    const dirty = dirtyText(['1', '[', ']', '{"a":', '}', ',', '\n', '\n', '\r\n', ' ', '"é"']);
    fc.assert(
      fc.property(withCuts(bytesOf(dirty)), ([bytes, cuts]) => {
        const decoded = decodeCut(ndjson(), bytes, cuts, { max: 2 });
        expect(outcome(decoded)).toEqual(outcome(decodeCut(ndjson(), bytes, [])));
        expectRestFromEachStop(ndjson(), bytes, decoded);
      }),
      RUNS,
    );
  });
});

describe('csv, for any text and cuts', () => {
  const field = dirtyText(['a', 'bc', ',', '"', '\n', '\r', '\r\n', 'é', '😀', ' ']);
  const table = fc
    .integer({ min: 1, max: 4 })
    .chain((width) => fc.array(fc.array(field, { minLength: width, maxLength: width })));

  it('gives the fields that were written, quoted where needed or at will, with any line end', () => {
    fc.assert(
      fc.property(
        table,
        fc.infiniteStream(fc.boolean()),
        fc.constantFrom('\n', '\r\n'),
        (rows, choice, lineEnd) => {
          const write = (text: string, isAlone: boolean): string => {
            const isNeeded = /[",\r\n]/.test(text) || (isAlone && text === '');
            return isNeeded || choice.next().value === true ? `"${text.replaceAll('"', '""')}"` : text;
          };
          const text = rows
            .map((row) => row.map((value) => write(value, row.length === 1)).join(',') + lineEnd)
            .join('');
          const bytes = Buffer.from(text);
          const cuts = [...bytes.keys()].filter(() => choice.next().value === true);
          expect(decodeCut(csv({ header: false }), bytes, cuts, { max: 2 }).items).toEqual(rows);
        },
      ),
      RUNS,
    );
  });

  it('gives back what its encoder wrote, as arrays and as objects', () => {
    fc.assert(
      fc.property(table, fc.integer({ min: 1, max: 9 }), (rows, size) => {
        const format = csv({ header: false });
        const bytes = format.encoder().encode(rows);
        const cuts = Array.from({ length: Math.floor(bytes.length / size) }, (_, index) => index * size);
        expect(decodeCut(format, bytes, cuts).items).toEqual(rows);
        const objects = rows.map((row) =>
          Object.fromEntries(row.map((value, index) => [`c"${index},`, value])),
        );
        const encoder = csv().encoder();
        const named = Buffer.concat([encoder.encode(objects.slice(0, 1)), encoder.encode(objects.slice(1))]);
        expect(decodeCut(csv(), named, []).items).toEqual(objects);
      }),
      RUNS,
    );
  });

  it('comes to the same, errors included, wherever dirty text is cut, and goes on from each offset', () => {
    fc.assert(
      fc.property(
        withCuts(bytesOf(dirtyText(CSV_ALPHABET))),
        fc.integer({ min: 1, max: 3 }),
        ([bytes, cuts], max) => {
          const format = csv({ header: ['x', 'y'] });
          const decoded = decodeCut(format, bytes, cuts, { max });
          expect(outcome(decoded)).toEqual(outcome(decodeCut(format, bytes, [])));
          expectRestFromEachStop(format, bytes, decoded);
        },
      ),
      RUNS,
    );
  });

  it('reads dirty text as its library reads the whole, where that finds nothing wrong', () => {
    fc.assert(
      fc.property(
        withCuts(bytesOf(dirtyText(CSV_ALPHABET.filter((part) => part !== '\r\n')))),
        ([bytes, cuts]) => {
          const text = Buffer.from(bytes).toString();
          const parsed = Papa.parse<string[]>(text, { delimiter: ',', newline: '\n', skipEmptyLines: true });
          const isRagged = new Set(parsed.data.map((row) => row.length)).size > 1;
          const hasQuotedNothing = /(^|\n)"" *(\n|$)/.test(text);
          fc.pre(parsed.errors.length === 0 && !isRagged && !hasQuotedNothing);
          expect(decodeCut(csv({ header: false }), bytes, cuts).items).toEqual(parsed.data);
        },
      ),
      { numRuns: 1000 },
    );
  });
});
