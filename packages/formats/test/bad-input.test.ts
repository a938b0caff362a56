/** Whatever the input and wherever it is cut: the same as a decoder that is seen to be right. See bad-input.ts. */

import {
  csv,
  type CsvOptions,
  lines,
  type LinesOptions,
  ndjson,
  type NdjsonOptions,
} from '@streamweld/formats';
import { Random } from '@streamweld/testing';
import { parse } from 'csv-parse/sync';
import { describe, expect, it } from 'vitest';
import {
  damage,
  DIRTY_BYTES,
  draw,
  EFFORT,
  join,
  replay,
  type Subject,
  type Tally,
  type Token,
  tryInputs,
} from './bad-input.ts';
import { referenceCsv, referenceLines, referenceNdjson, referenceRecords } from './bad-input-reference.ts';

const MARK: Token = [0xef, 0xbb, 0xbf];
/** Line ends, marks, NUL and letters of one to four bytes. */
const TEXT: readonly Token[] = [
  'a',
  'b',
  'cd',
  ' ',
  '\n',
  '\n',
  '\r\n',
  '\r',
  '\r\r\n',
  '\0',
  'é',
  'ÿ',
  'Ā',
  '€',
  '😀',
  MARK,
  [0xef],
  [0xef, 0xbb],
];

interface Text {
  readonly maxLineBytes?: number | undefined;
  readonly onLongLine?: 'fail' | 'skip' | undefined;
  readonly invalidUtf8?: 'fail' | 'replace' | undefined;
}

function textOptions(random: Random, longest: number): Text {
  return {
    ...(random.chance(0.5) ? { maxLineBytes: random.integer(1, longest) } : {}),
    ...(random.chance(0.5) ? { onLongLine: 'skip' as const } : {}),
    ...(random.chance(0.3) ? { invalidUtf8: 'replace' as const } : {}),
  };
}

/** Text that is mostly clean, or a run of one thing about as long as the longest line. */
function textInput(
  random: Random,
  { maxLineBytes }: Text,
  clean: readonly Token[],
  most: number,
  filler: string,
): Uint8Array {
  const tokens = draw(random, clean, most);
  if (random.chance(0.2)) tokens.unshift(MARK);
  const dirt = random.chance(0.3) ? random.integer(1, 2) : 0;
  for (let count = 0; count < dirt; count++) {
    tokens.splice(random.integer(0, tokens.length), 0, random.pick(DIRTY_BYTES));
  }
  if (maxLineBytes !== undefined && random.chance(0.5)) {
    const run = filler.repeat(Math.max(0, maxLineBytes + random.integer(-2, 2)));
    tokens.splice(random.integer(0, tokens.length), 0, run, random.pick(['\n', '\r\n', '\r', '']));
  }
  return join(tokens);
}

const LINES: Subject<LinesOptions> = {
  name: 'LINES',
  format: lines,
  reference: referenceLines,
  options: (random) => textOptions(random, 8),
  input: (random, options) => textInput(random, options, TEXT, 12, 'x'),
};

const isStart = (line: string): boolean => /^\d/.test(line);

const RECORDS: Subject<LinesOptions> = {
  name: 'RECORDS',
  format: (options) => lines({ ...options, recordStart: isStart }),
  reference: (bytes, options) => referenceRecords(bytes, options, isStart),
  options: (random) => {
    const { invalidUtf8: _, ...options } = textOptions(random, 12);
    return options;
  },
  input: (random, options) => textInput(random, options, [...TEXT, '1', '2x', '\n1', '\n2', '\n a'], 12, '7'),
};

/** Beyond the pieces of 32 KiB and the buffers of 1 KiB that decoders work with. */
const LONG_LINES: Subject<LinesOptions> = {
  ...LINES,
  name: 'LONG_LINES',
  options: (random) => ({
    ...textOptions(random, 8),
    maxLineBytes: random.pick([1023, 1024, 32_767, 32_768, 65_536]),
  }),
  input: (random, { maxLineBytes = 0 }) => {
    const tokens: Token[] = [];
    for (let count = random.integer(1, 4); count > 0; count--) {
      const text = random.pick(['x', 'é', '\r', 'ab\n']);
      const length =
        random.pick([maxLineBytes, 1024, 32_768, random.integer(1, 70_000)]) + random.integer(-2, 2);
      tokens.push(text.repeat(Math.max(1, Math.floor(length / Buffer.byteLength(text)))));
      tokens.push(random.pick(['\n', '\r\n', '\r', 'y', '😀', MARK]));
    }
    return join(tokens);
  },
};

const JSON_TOKENS: readonly Token[] = [
  ...TEXT,
  '\n',
  '\n',
  '{',
  '}',
  '[',
  ']',
  ':',
  ',',
  '"',
  '\\',
  '\\"',
  '"a"',
  '1',
  '-0',
  '1e400',
  '9007199254740993',
  'null',
  'true',
  '\t',
  '\v',
  '\u00a0',
  '\u2028',
];
const JSON_LINES: readonly string[] = [
  '{"a":1,"a":2}',
  '{"__proto__":{"b":1}}',
  '{"constructor":null,"toString":[]}',
  '[9007199254740993,1e999,-0,1E-7]',
  '"\\ud800"',
  '"\\udc00\\ud800x"',
  '"\\u0000\\n\\"\\\\"',
  '"[[[["',
  '["\\\\",[[[[1]]]],""]',
  '"{\\"[[[{"',
  '[[[1]]]',
  '[{"a":[{}]}]',
  '[[[[[[[[]]]]]]]]',
  '{"2":1,"1":2,"a":[]}',
  '""',
  '" é€😀"',
  ' 1 ',
  '\t{} \r',
  'NaN',
  '01',
  "'a'",
  '[1,]',
  '{"a":}',
  '1 2',
  '\ufeff1',
  ' \t ',
  '',
];

const NDJSON: Subject<NdjsonOptions> = {
  name: 'NDJSON',
  format: ndjson,
  reference: referenceNdjson,
  options: (random) => ({
    ...textOptions(random, 16),
    ...(random.chance(0.4) ? { maxDepth: random.integer(1, 4) } : {}),
  }),
  input: (random, options) => {
    if (random.chance(0.4)) return textInput(random, options, JSON_TOKENS, 10, ' ');
    const tokens: Token[] = random.chance(0.2) ? [MARK] : [];
    for (let count = random.integer(1, 3); count > 0; count--) {
      tokens.push(
        random.pick(JSON_LINES),
        random.pick(['\n', '\n', '\r\n', '\n\n', count === 1 ? '' : '\n \n']),
      );
    }
    return random.chance(0.4) ? damage(random, join(tokens)) : join(tokens);
  },
};

const CSV_TOKENS: readonly string[] = [
  'a',
  'b',
  'é',
  '😀',
  ' ',
  ',',
  ',',
  ',',
  ';',
  '\t',
  '\n',
  '\n',
  '\r\n',
  '\r',
  '"',
  '"',
  '""',
  '"x"',
  '","',
  '"\n"',
  '\0',
  '__proto__',
  '1',
  '\u00a0',
];

/** Rows of one width, mostly, with quotes where they are needed or not. */
function csvRows(random: Random, delimiter: string): Token[] {
  const tokens: Token[] = random.chance(0.2) ? [MARK] : [];
  const width = random.integer(1, 3);
  for (let rows = random.integer(1, 3); rows > 0; rows--) {
    const fields = random.chance(0.08) ? width + random.pick([-1, 1]) : width;
    for (let field = 0; field < fields; field++) {
      if (field > 0) tokens.push(delimiter);
      const text = random.pick([
        '',
        'a',
        'b',
        'c"',
        'é',
        ' x ',
        '\r',
        '__proto__',
        '2',
        '"',
        ',',
        '\n',
        '\r\n',
        '😀',
      ]);
      const isQuoted = /^"|[,;\n]/.test(text) || text === delimiter || random.chance(0.3);
      tokens.push(isQuoted ? `"${text.replaceAll('"', '""')}"` : text);
    }
    tokens.push(rows === 1 && random.chance(0.3) ? '' : random.pick(['\n', '\r\n', '\n\n', '\n\r\n']));
  }
  return tokens;
}

const CSV: Subject<CsvOptions> = {
  name: 'CSV',
  format: (options) => csv(options as CsvOptions & { readonly header: false }),
  reference: referenceCsv,
  options: (random) => ({
    ...textOptions(random, 12),
    ...random.pick([{}, { header: false }, { header: false }, { header: ['x', '__proto__'] }]),
    ...random.pick<CsvOptions>([{}, {}, { delimiter: ';' }, { delimiter: '\t' }, { delimiter: ' ' }]),
  }),
  input: (random, options) => {
    const delimiter = options.delimiter ?? ',';
    if (random.chance(0.5))
      return textInput(random, options, [...CSV_TOKENS, delimiter], 11, random.pick(['x', '"', ',']));
    const rows = join(csvRows(random, delimiter));
    return random.chance(0.4) ? damage(random, rows) : rows;
  },
  // Without a header the number of fields is that of the first record a decoder sees.
  canResume: ({ header }) => header !== false,
};

const LONG_CSV: Subject<CsvOptions> = {
  ...CSV,
  name: 'LONG_CSV',
  input: (random) => {
    const tokens: Token[] = [];
    for (let count = random.integer(1, 3); count > 0; count--) {
      const row = random.pick(['a,b\n', '"a","b"\r\n', `"${'x\r\n""'.repeat(random.integer(1, 500))}",é\n`]);
      tokens.push(row.repeat(random.integer(1, Math.ceil(50_000 / row.length))));
      if (random.chance(0.3)) tokens.push(...csvRows(random, ','));
      if (random.chance(0.1)) tokens.push(random.pick(['"', '"a"x', 'a,b,c\n', '\ufeff']));
    }
    return join(tokens);
  },
  options: (random) => ({
    ...textOptions(random, 12),
    ...random.pick([{ header: false }, { header: ['x', '__proto__'] }]),
    maxLineBytes: random.pick([1024, 32_768, 1 << 20]),
  }),
};

function report(name: string, { inputs, decodings, met }: Tally): void {
  if (EFFORT > 1) console.log(name, { inputs, decodings, met: Object.fromEntries(met) });
}

describe('bad input, cut everywhere, comes to what a reference decoder makes of it', () => {
  const subjects: readonly (readonly [Subject<object>, number, readonly string[]])[] = [
    [LINES, 34_000, ['items', 'nothing', 'SW_FORMAT_INVALID_UTF8', 'SW_FORMAT_LINE_TOO_LONG']],
    [RECORDS, 14_000, ['items', 'nothing', 'SW_FORMAT_INVALID_UTF8', 'SW_FORMAT_LINE_TOO_LONG']],
    [
      NDJSON,
      26_000,
      [
        'items',
        'nothing',
        'SW_FORMAT_INVALID_JSON',
        'SW_FORMAT_TRUNCATED',
        'SW_FORMAT_TOO_DEEP',
        'SW_FORMAT_INVALID_UTF8',
        'SW_FORMAT_LINE_TOO_LONG',
      ],
    ],
    [
      CSV,
      34_000,
      [
        'items',
        'nothing',
        'SW_FORMAT_INVALID_CSV',
        'SW_FORMAT_TRUNCATED',
        'SW_FORMAT_RAGGED_ROW',
        'SW_FORMAT_INVALID_HEADER',
        'SW_FORMAT_INVALID_UTF8',
        'SW_FORMAT_LINE_TOO_LONG',
      ],
    ],
    [LONG_LINES, 60, ['items', 'SW_FORMAT_LINE_TOO_LONG']],
    [LONG_CSV, 40, ['items', 'SW_FORMAT_RAGGED_ROW']],
  ];

  it.each(subjects.map((row) => [row[0].name, ...row] as const))(
    '%s',
    (_, subject, inputs, outcomes) => {
      const tally = tryInputs(subject, inputs);
      report(subject.name, tally);
      expect(tally.inputs).toBeGreaterThanOrEqual(inputs * EFFORT);
      // Each was met, and not by a single lucky input.
      const rare = outcomes.filter(
        (outcome) => (tally.met.get(outcome) ?? 0) < Math.min(100, inputs / 20) * Math.min(1, EFFORT),
      );
      expect(rare).toEqual([]);
    },
    60_000 * Math.max(1, EFFORT),
  );
});

describe('what was found so', () => {
  it.each([
    [
      'a record whose first bytes end like a line, as long as one may be, is not taken for whole',
      () => replay(CSV, '2278790d0a6122', { maxLineBytes: 3, header: false }, [5], 1),
    ],
    [
      'nor is one that ends so in an open quote',
      () => replay(CSV, '2278790a', { maxLineBytes: 3, header: false }, [], 1),
    ],
    [
      'a quote behind a carriage return behind a closing quote opens nothing',
      () =>
        replay(
          CSV,
          '22e9220d22780a610a',
          { maxLineBytes: 4, onLongLine: 'skip', invalidUtf8: 'replace', header: false },
          [],
          1,
        ),
    ],
    [
      'a line that is not UTF-8 is counted in records',
      () => replay(RECORDS, '310a20610a20620aff0a', {}, [], 1),
    ],
    [
      'lines that are too long and begin records each count',
      () => replay(RECORDS, '310a202020200a322020200a330a', { maxLineBytes: 2, onLongLine: 'skip' }, [], 1),
    ],
  ])('%s', (_, again) => again());

  it('a decoder that had no header yet goes on from where it stood', () => {
    const bytes = Buffer.from('\ufeff\n\na\n1\n');
    const first = csv().decoder();
    first.push(bytes.subarray(0, 5));
    first.take(1);
    const second = csv().decoder({ offset: first.offset, record: first.record, header: first.header });
    second.push(bytes.subarray(first.offset));
    expect(second.take(9)).toEqual([{ a: '1' }]);
  });
});

describe('the reference of CSV', () => {
  it('reads what csv-parse finds nothing wrong with as csv-parse reads it', () => {
    const random = new Random(3);
    let agreed = 0;
    for (let count = 0; count < 6000 * EFFORT; count++) {
      const bytes = Buffer.from(join(csvRows(random, ',')));
      const { items, error } = referenceCsv(bytes, { header: false });
      let rows: string[][];
      try {
        rows = parse(bytes, { bom: true, skip_empty_lines: true, record_delimiter: ['\r\n', '\n'] });
      } catch (reason) {
        // It is stricter in one thing: a quote within a field that does not begin with one is an error.
        if ((reason as { code?: string }).code !== 'INVALID_OPENING_QUOTE') expect(error).toBeDefined();
        continue;
      }
      expect({ text: bytes.toString(), items, code: error?.codes }).toEqual({
        text: bytes.toString(),
        items: rows,
        code: undefined,
      });
      agreed += 1;
    }
    expect(agreed).toBeGreaterThan(2000 * EFFORT);
  });
});
