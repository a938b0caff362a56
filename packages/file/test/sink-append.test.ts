import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { FileSink } from '@streamweld/file';
import { csv, type Format, lines } from '@streamweld/formats';
import { describe, expect, test } from 'vitest';
import { durableOf, failureOf, testFolder, writeAll } from './driving.ts';
import { faultyLayer, systemError } from './file-layer.ts';
import { contentOf, openContext } from './sink-driving.ts';

describe('FileSink as a dead letter', () => {
  const context = { signal: new AbortController().signal, fail: () => {}, isDeadLetter: true };

  test.each([
    ['one file', 'bad.log', undefined],
    ['parts', 'bad-{sequence}.log', { maxItems: 1000 }],
  ] as const)('has what is durable where it is looked for, and keeps it (%s)', async (_what, name, roll) => {
    const folder = testFolder();
    const found = (): string =>
      Object.entries(contentOf(folder))
        .flatMap(([file, text]) => (file.startsWith('bad') ? [text] : []))
        .join('');
    const options = roll === undefined ? {} : { roll };
    for (const [letter, expected] of [
      ['first', 'first\n'],
      ['second', 'first\nsecond\n'],
    ] as const) {
      const sink = new FileSink(join(folder, name), options);
      await sink.open(context);
      const durable = durableOf(await sink.write([letter]));
      await sink.flush();
      await durable;
      expect(found()).toBe(expected);
      await sink.close(new Error('the run has failed'));
      expect(found()).toBe(expected);
    }
  });
});

describe('FileSink that appends', () => {
  test('goes on behind a first record that a killed run has torn', async () => {
    const folder = testFolder();
    const path = join(folder, 'torn.ndjson');
    writeFileSync(path, '{"a":');
    await writeAll(new FileSink<{ a: number }>(path, { append: true, format: 'ndjson' }), [[{ a: 1 }]]);
    expect(readFileSync(path, 'utf8')).toBe('{"a":\n{"a":1}\n');
  });

  test.each(['batch', 'close', 'never'] as const)('writes behind what is there (%s)', async (fsync) => {
    const folder = testFolder();
    writeFileSync(join(folder, 'a'), 'old\n');
    writeFileSync(join(folder, 'b'), 'left open');
    writeFileSync(join(folder, 'c.gz'), gzipSync('zipped'));
    writeFileSync(join(folder, 'd.csv'), 'x,y\n1,2\n');
    writeFileSync(join(folder, 'e.csv'), 'x,y');
    writeFileSync(join(folder, 'f'), 'bytes');
    writeFileSync(join(folder, 'g'), '');
    for (const name of ['a', 'b', 'c.gz', 'g', 'h']) {
      await writeAll(new FileSink(join(folder, name), { append: true, fsync }), [['one'], ['two']]);
    }
    for (const name of ['d.csv', 'e.csv']) {
      const sink = new FileSink<{ x: number; y: number }>(join(folder, name), {
        append: true,
        fsync,
        format: 'csv',
      });
      await writeAll(sink, [[{ y: 4, x: 3 }]]);
    }
    await writeAll(new FileSink(join(folder, 'f'), { append: true, fsync, format: 'bytes' }), [
      [Buffer.from('!')],
    ]);
    expect(contentOf(folder)).toEqual({
      a: 'old\none\ntwo\n',
      b: 'left open\none\ntwo\n',
      'c.gz': 'zipped\none\ntwo\n',
      'd.csv': 'x,y\n1,2\n3,4\n',
      'e.csv': 'x,y\n3,4\n',
      f: 'bytes!',
      g: 'one\ntwo\n',
      h: 'one\ntwo\n',
    });
  });

  test('writes behind the files that a function names, each looked at once', async () => {
    const folder = testFolder();
    writeFileSync(join(folder, 'a.csv'), 'to,n\na,0\n');
    const sink = new FileSink<{ to: string; n: number }>(({ to }) => `${to}.csv`, {
      format: 'csv',
      root: folder,
      append: true,
    });
    await writeAll(sink, [
      [
        { to: 'a', n: 1 },
        { n: 2, to: 'b' },
      ],
      [{ n: 3, to: 'a' }],
    ]);
    expect(contentOf(folder)).toEqual({ 'a.csv': 'to,n\na,0\na,1\na,3\n', 'b.csv': 'n,to\n2,b\n' });
  });

  test('cuts back, where the run fails, what was not promised; and removes a file that it made', async () => {
    const folder = testFolder();
    writeFileSync(join(folder, 'out'), 'old\n');
    const sink = new FileSink((item: string) => item.split(' ')[0] as string, {
      root: folder,
      append: true,
      bufferBytes: 1,
    });
    await sink.open();
    await sink.write(['out promised']);
    await sink.flush();
    const durable = durableOf(await sink.write(['out more', 'new one']));
    const reason = new Error('the run failed');
    await sink.close(reason);
    expect(await failureOf(durable)).toBe(reason);
    expect(contentOf(folder)).toEqual({ out: 'old\nout promised\n' });
  });

  test('[fault 43] cuts off what a failed write has torn, and repeats it', async () => {
    for (const fsync of ['batch', 'close'] as const) {
      const folder = testFolder();
      writeFileSync(join(folder, 'out'), 'old\n');
      let fired = 0;
      const client = faultyLayer({
        write: async (_path, length) => {
          fired += 1;
          if (fired === 1) return Math.ceil(length / 2);
          if (fired === 2) throw systemError('ENOSPC');
          return undefined;
        },
      });
      const sink = new FileSink(join(folder, 'out'), { append: true, fsync, client });
      await sink.open();
      const attempt = async (): Promise<void> => {
        await sink.write(['a line of some length']);
        await sink.flush();
      };
      expect((await failureOf(attempt())).code).toBe('SW_FILE_NO_SPACE');
      expect(readFileSync(join(folder, 'out'), 'utf8')).toBe('old\n');
      if (fsync === 'batch') await attempt();
      else await sink.flush();
      await sink.close();
      expect(readFileSync(join(folder, 'out'), 'utf8')).toBe('old\na line of some length\n');
    }
  });

  test('refuses what nothing can be written behind, and leaves it as it was', async () => {
    const folder = testFolder();
    const whole = gzipSync('some text that is long enough');
    writeFileSync(join(folder, 'cut.gz'), whole.subarray(0, whole.length - 5));
    writeFileSync(join(folder, 'bad.csv'), 'a,a\n1,2\n');
    const closing: Format<unknown, string> = {
      ...lines(),
      name: 'closing',
      encoder: () => ({ encode: () => Buffer.from('x'), end: () => Buffer.from(']') }),
    };
    for (const [name, format] of [
      ['cut.gz', lines()],
      ['bad.csv', csv()],
      ['out', closing],
    ] as const) {
      const sink = new FileSink<never>(join(folder, name), {
        append: true,
        format: format as Format<unknown, never>,
      });
      const failure = await failureOf(sink.open());
      await sink.close(failure);
      expect(failure, name).toMatchObject({ code: 'SW_FILE_NOT_APPENDABLE', path: join(folder, name) });
    }
    const counted = new FileSink<string>(join(folder, 'out'), { format: closing });
    const failure = await failureOf(counted.open(openContext()));
    await counted.close(failure);
    expect(failure.code).toBe('SW_FILE_NOT_APPENDABLE');
    expect(readdirSync(folder).sort()).toEqual(['bad.csv', 'cut.gz']);
    expect(readFileSync(join(folder, 'cut.gz'))).toHaveLength(whole.length - 5);
  });

  test('is durable when a write returns, when a flush does, or never, as fsync says', async () => {
    for (const append of [true, false]) {
      for (const fsync of ['batch', 'close', 'never'] as const) {
        const client = faultyLayer();
        const sink = new FileSink(join(testFolder(), 'out'), { append, fsync, client });
        await sink.open();
        client.calls = {};
        const answer = await sink.write(['x']);
        expect(answer === undefined).toBe(fsync === 'batch');
        expect(client.calls['datasync'] ?? 0).toBe(fsync === 'batch' ? 1 : 0);
        await sink.flush();
        await durableOf(answer);
        await sink.close();
        expect(client.calls['datasync'] ?? 0).toBe(fsync === 'never' ? 0 : 1);
        expect((client.calls['sync'] ?? 0) > 0).toBe(fsync !== 'never');
      }
    }
  });

  test('makes whole files with fsync batch too: the gzip of no items, the end of a document', async () => {
    const folder = testFolder();
    await writeAll(new FileSink(join(folder, 'a.gz'), { fsync: 'batch' }), []);
    expect(gunzipSync(readFileSync(join(folder, 'a.gz'))).toString()).toBe('');
    const closing: Format<unknown, string> = {
      ...lines(),
      encoder: () => ({ encode: (items) => Buffer.from(items.join('')), end: () => Buffer.from(']') }),
    };
    for (const name of ['b', 'c.gz']) {
      await writeAll(new FileSink<string>(join(folder, name), { fsync: 'batch', format: closing }), [
        ['x'],
        ['y'],
      ]);
    }
    writeFileSync(join(folder, 'd'), 'old\n');
    const sink = new FileSink(join(folder, 'd'), { fsync: 'batch' });
    await sink.open();
    await sink.write(['new']);
    expect(readFileSync(join(folder, 'd'), 'utf8')).toBe('old\n');
    await sink.close();
    expect(contentOf(folder)).toEqual({ 'a.gz': '', b: 'xy]', 'c.gz': 'xy]', d: 'new\n' });
  });
});
