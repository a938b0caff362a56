import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { FileItemError, FileSink } from '@streamweld/file';
import { describe, expect, test } from 'vitest';
import { failureOf, testFolder, writeAll } from './driving.ts';
import { contentOf, openContext, writeContext, writeOnce } from './sink-driving.ts';

interface Row {
  readonly country: unknown;
  readonly day?: unknown;
  readonly deep?: { readonly a?: unknown };
}

describe('FileSink with fields in its path', () => {
  test('writes to the file that the fields of an item name', async () => {
    const folder = testFolder();
    const sink = new FileSink<Row>(join(folder, 'out/{country}/{day}-{deep.a}.ndjson'), { format: 'ndjson' });
    await writeAll(sink, [
      [
        { country: 'de', day: 1, deep: { a: true } },
        { country: 'Österreich', day: 2n as never, deep: { a: 'x y' } },
      ].map((row) => ({ ...row, day: String(row.day) })),
      [{ country: 'de', day: 1, deep: { a: true } }],
    ]);
    expect(Object.keys(contentOf(folder))).toEqual(['out/de/1-true.ndjson', 'out/Österreich/2-x y.ndjson']);
    expect(contentOf(folder)['out/de/1-true.ndjson']?.split('\n')).toHaveLength(3);
  });

  test('takes a doubled brace for a brace, and a value as it is', async () => {
    const folder = testFolder();
    const path = join(folder, '{{x}}-{country}.csv');
    await writeAll(new FileSink<Row>(path, { format: 'ndjson' }), [
      [{ country: '{day}' }, { country: '{sequence}' }, { country: 'a.b..c' }],
    ]);
    expect(readdirSync(folder).sort()).toEqual(['{x}-a.b..c.csv', '{x}-{day}.csv', '{x}-{sequence}.csv']);
    await writeAll(new FileSink(join(folder, '{{}}')), [['x']]);
    expect(readdirSync(folder)).toContain('{}');
  });

  test.each([
    [{}, 'SW_FILE_PATH_INVALID'],
    [{ country: undefined }, 'SW_FILE_PATH_INVALID'],
    [{ country: null }, 'SW_FILE_PATH_INVALID'],
    [{ country: '' }, 'SW_FILE_PATH_INVALID'],
    [{ country: {} }, 'SW_FILE_PATH_INVALID'],
    [{ country: ['a'] }, 'SW_FILE_PATH_INVALID'],
    [{ country: new Date() }, 'SW_FILE_PATH_INVALID'],
    [{ country: () => 'x' }, 'SW_FILE_PATH_INVALID'],
    [{ country: 'a\0b' }, 'SW_FILE_PATH_INVALID'],
    [{ country: '.' }, 'SW_FILE_PATH_INVALID'],
    [{ country: '.secret' }, 'SW_FILE_PATH_INVALID'],
    [{ country: 'NUL' }, 'SW_FILE_PATH_INVALID'],
    [{ country: 'com1.txt' }, 'SW_FILE_PATH_INVALID'],
    [{ country: 'x'.repeat(300) }, 'SW_FILE_PATH_INVALID'],
    [{ country: '..' }, 'SW_FILE_PATH_ESCAPES'],
    [{ country: '../../x' }, 'SW_FILE_PATH_ESCAPES'],
    [{ country: 'a/b' }, 'SW_FILE_PATH_ESCAPES'],
    [{ country: '/etc/passwd' }, 'SW_FILE_PATH_ESCAPES'],
    [{ country: 'a\\b' }, 'SW_FILE_PATH_ESCAPES'],
    [Object.create({ country: 'inherited' }), 'SW_FILE_PATH_INVALID'],
    ['text', 'SW_FILE_PATH_INVALID'],
    [null, 'SW_FILE_PATH_INVALID'],
  ])('refuses the item that says %j, alone, and does not repeat what it says', async (bad, code) => {
    const folder = testFolder();
    const sink = new FileSink<unknown>(join(folder, 'in/{country}/x'), { format: 'ndjson' });
    await sink.open();
    const good = { country: 'good' };
    const failure = await failureOf((async () => sink.write([good, bad, good]))());
    expect(failure).toBeInstanceOf(FileItemError);
    expect(failure).toMatchObject({ code, failed: [1], retryable: false });
    expect(failure.message).toContain("'country'");
    expect(failure.message).not.toMatch(/passwd|secret|xxx/);
    await sink.write([good]);
    await sink.close();
    expect(Object.keys(contentOf(folder))).toEqual(['in/good/x']);
  });

  test('refuses a path that cannot be understood, when it is given', () => {
    const made =
      (path: string, options: object = {}) =>
      () =>
        new FileSink(path, options);
    for (const path of ['a{', 'a}', '{}', 'a{b', '{a..b}', '{a.}', '{{{a}', '{sequence}{sequence}']) {
      expect(made(path, { roll: { maxItems: 1 } }), path).toThrow(/path must be/);
    }
    expect(made('a-{sequence}')).toThrow(/path must be one without \{sequence\}, unless the option roll/);
    expect(made('a', { roll: { maxItems: 1 } })).toThrow(/path must be one with \{sequence\}/);
    expect(made('{sequence}/a', { roll: { maxItems: 1 } })).toThrow(/in the name of the file/);
    expect(made('{country}/a', { roll: { maxItems: 1 } })).toThrow(/path must be one with \{sequence\}/);
    expect(made('a-{sequence}', { roll: {} })).toThrow(/roll must be an object with maxBytes/);
    expect(made('a-{sequence}', { roll: { maxBytes: 0 } })).toThrow(/roll.maxBytes/);
    expect(made('a-{sequence}', { roll: { maxItems: 1.5 } })).toThrow(/roll.maxItems/);
    expect(made('a-{sequence}', { roll: { everyMs: 0 } })).toThrow(/roll.everyMs/);
    expect(made('a-{sequence}', { roll: { every: 1 } })).toThrow(/every/);
    expect(made('a', { fsync: 'always' })).toThrow(/fsync/);
  });

  test('keeps one ledger for all its files, below the folder that they share', async () => {
    const folder = testFolder();
    mkdirSync(join(folder, 'out'));
    const path = join(folder, 'out/{country}.ndjson');
    await writeOnce(new FileSink<Row>(path, { format: 'ndjson' }), [[{ country: 'de' }, { country: 'fr' }]]);
    const sink = new FileSink<Row>(path, { format: 'ndjson' });
    await sink.open(openContext());
    expect(sink.positions().get('lane')).toBe(1);
    await sink.write([{ country: 'de' }], writeContext({ lane: 2 }));
    await sink.close();
    expect(contentOf(folder)).toEqual({
      'out/de.ndjson': '{"country":"de"}\n{"country":"de"}\n',
      'out/fr.ndjson': '{"country":"fr"}\n',
    });
    expect(readdirSync(join(folder, 'out')).filter((name) => name.endsWith('.ledger'))).toHaveLength(1);
  });
});
