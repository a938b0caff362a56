import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { Accepted } from '@streamweld/core';
import { FileItemError, FileSink, FileSource } from '@streamweld/file';
import { csv, type Format, lines } from '@streamweld/formats';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { durableOf, failureOf, itemsOf, openFilesIn, testFolder, until, writeAll } from './driving.ts';
import { faultyLayer } from './file-layer.ts';

interface Row {
  readonly to: string;
  readonly value: number;
}

function* inBatches<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  for (let from = 0; from < items.length; from += size) yield items.slice(from, from + size);
}

/** What a folder holds, by path, temporaries included. */
function treeOf(folder: string): Record<string, string> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    statSync(join(folder, name)).isFile(),
  );
  return Object.fromEntries(
    names.sort().map((name) => {
      const content = readFileSync(join(folder, name));
      return [name, (name.endsWith('.gz') ? gunzipSync(content) : content).toString()];
    }),
  );
}

describe('FileSink', () => {
  test('writes lines where nothing else is said, and ndjson, csv, bytes and a format of one’s own', async () => {
    const folder = testFolder();
    await writeAll(new FileSink(join(folder, 'a')), [['one', 'two'], ['three']]);
    await writeAll(new FileSink(join(folder, 'b'), { format: 'ndjson' }), [[{ a: 1 }], ['x', null]]);
    await writeAll(new FileSink(join(folder, 'c'), { format: 'csv' }), [
      [{ a: 1, b: 'x,y' }],
      [{ a: 2, b: '' }],
    ]);
    await writeAll(new FileSink(join(folder, 'd'), { format: 'bytes' }), [
      [Buffer.from('x')],
      [Buffer.from('yz')],
    ]);
    await writeAll(new FileSink(join(folder, 'e'), { format: csv({ header: false, delimiter: ';' }) }), [
      [['1', '2']],
    ]);
    expect(treeOf(folder)).toEqual({
      a: 'one\ntwo\nthree\n',
      b: '{"a":1}\n"x"\nnull\n',
      c: 'a,b\n1,"x,y"\n2,\n',
      d: 'xyz',
      e: '1;2\n',
    });
  });

  test('K8 shows nothing under the name before close, and replaces what was there in one step', async () => {
    const folder = testFolder();
    const path = join(folder, 'out.txt');
    writeFileSync(path, 'old\n');
    const sink = new FileSink(path, { bufferBytes: 10 });
    await sink.open();
    for (let index = 0; index < 20; index += 1) await sink.write([`line ${index}`]);
    await sink.flush();
    expect(readFileSync(path, 'utf8')).toBe('old\n');
    await sink.close();
    expect(readFileSync(path, 'utf8')).toMatch(/^line 0\n[^]*line 19\n$/);
    expect(readdirSync(folder)).toEqual(['out.txt']);
  });

  test('K8 leaves an earlier file as it was, and nothing else, where the run fails', async () => {
    const folder = testFolder();
    const path = join(folder, 'out.txt');
    writeFileSync(path, 'old\n');
    const sink = new FileSink(path, { bufferBytes: 10 });
    await sink.open();
    const durable = durableOf(await sink.write(['one', 'two and more']));
    const reason = new Error('the run failed');
    await sink.close(reason);
    await expect(durable).rejects.toBe(reason);
    expect(treeOf(folder)).toEqual({ 'out.txt': 'old\n' });
  });

  test('K5 is durable at the flush, not before: written and synced by then', async () => {
    const client = faultyLayer();
    const sink = new FileSink(join(testFolder(), 'out.txt'), { client });
    await sink.open();
    const first = sink.write(['one']);
    if (first instanceof Promise) throw new Error('a write into the buffer is synchronous');
    const firstDurable = durableOf(first as Accepted);
    let isDurable = false;
    void firstDurable.then(() => {
      isDurable = true;
    });
    await until(() => true, 20);
    expect([isDurable, client.calls['write'], client.calls['datasync']]).toEqual([
      false,
      undefined,
      undefined,
    ]);
    await sink.flush();
    await firstDurable;
    expect([client.calls['write'], client.calls['datasync']]).toEqual([1, 1]);
    const secondDurable = durableOf(await sink.write(['two']));
    expect(secondDurable).not.toBe(firstDurable);
    await sink.close();
    await secondDurable;
  });

  test('K7 keeps what a flush promised, cut back to it, where the run fails later', async () => {
    const folder = testFolder();
    const sink = new FileSink(join(folder, 'out.txt'), { bufferBytes: 4 });
    await sink.open();
    await sink.write(['kept']);
    await sink.flush();
    await sink.write(['not promised']);
    const [temporary] = readdirSync(folder).filter((entry) => entry.endsWith('.tmp'));
    await until(() => statSync(join(folder, temporary as string)).size > 'kept\n'.length);
    await sink.close(new Error('the run failed'));
    const [name, ...others] = readdirSync(folder);
    expect(others).toEqual([]);
    expect(name).toMatch(/^\.out\.txt\.[0-9a-z]{8}\.tmp$/);
    expect(readFileSync(join(folder, name as string), 'utf8')).toBe('kept\n');
  });

  test('compresses where the name or the option says so, in members of one gzip file', async () => {
    const folder = testFolder();
    const items = Array.from({ length: 5000 }, (_, index) => `line ${index}`);
    await writeAll(new FileSink(join(folder, 'a.gz'), { bufferBytes: 4096 }), inBatches(items, 100));
    await writeAll(new FileSink(join(folder, 'b'), { compression: 'gzip', level: 9 }), inBatches(items, 100));
    await writeAll(new FileSink(join(folder, 'c.gz'), { compression: 'none' }), [['plain']]);
    await writeAll(new FileSink(join(folder, 'd.gz'), { level: 0 }), inBatches(items, 100));
    expect(await itemsOf(new FileSource(join(folder, 'a.gz')))).toEqual(items);
    expect(await itemsOf(new FileSource(join(folder, 'b')))).toEqual(items);
    expect(readFileSync(join(folder, 'c.gz'), 'utf8')).toBe('plain\n');
    expect(statSync(join(folder, 'b')).size).toBeLessThan(statSync(join(folder, 'd.gz')).size / 3);
  });

  test('makes an empty file of no items, a valid one where it is gzip, and none for a function', async () => {
    const folder = testFolder();
    await writeAll(new FileSink(join(folder, 'a')), []);
    await writeAll(new FileSink(join(folder, 'b.gz')), []);
    await writeAll(new FileSink((item: string) => item, { root: folder }), []);
    expect(treeOf(folder)).toEqual({ a: '', 'b.gz': '' });
  });

  test('makes a file of items without bytes, and none of items that were rejected', async () => {
    const folder = testFolder();
    const sink = new FileSink((item: { to: string; bad?: unknown }) => item.to, {
      format: 'csv' as never,
      root: folder,
    });
    await sink.open();
    await failureOf((async () => sink.write([{ to: 'a.gz' }, { to: 'b', bad: {} }]))());
    await sink.close();
    await writeAll(new FileSink(() => 'empty', { format: 'bytes', root: folder }), [[new Uint8Array(0)]]);
    expect(treeOf(folder)).toEqual({ empty: '' });
  });

  test('K8 takes nothing more, and leaves nothing, where it is abandoned while a write waits', async () => {
    const folder = testFolder();
    const client = faultyLayer({ write: () => until(() => true, 10) });
    const sink = new FileSink(join(folder, 'out'), { client, bufferBytes: 10 });
    await sink.open();
    await sink.write(['promised']);
    await sink.flush();
    await sink.write(['the first buffer']);
    await sink.write(['the second buffer']);
    const waiting = sink.write(['waits']);
    expect(waiting).toBeInstanceOf(Promise);
    const failed = failureOf(waiting as Promise<unknown>);
    await sink.close(new Error('enough'));
    expect((await failed).message).toContain('abandoned');
    await until(() => client.open_ === 0, 10);
    expect(openFilesIn(folder)).toEqual([]);
    expect(client.open_).toBe(0);
    expect(readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'))).toEqual([
      'promised\n',
    ]);
  });

  test('writes a file for each path, more than it may hold open, like a simple reference', async () => {
    const folder = testFolder();
    const rows: Row[] = Array.from({ length: 20_000 }, (_, index) => ({
      to: `${(index * 7919) % 100}`,
      value: index,
    }));
    const expected: Record<string, string> = {};
    for (const row of rows)
      expected[`${row.to}.ndjson.gz`] = (expected[`${row.to}.ndjson.gz`] ?? '') + `${JSON.stringify(row)}\n`;
    const client = faultyLayer();
    const sink = new FileSink((row: Row) => `${row.to}.ndjson.gz`, {
      format: 'ndjson',
      root: folder,
      maxOpen: 4,
      bufferBytes: 1000,
      client,
    });
    await writeAll(sink, inBatches(rows, 333));
    const found = treeOf(folder);
    expect(Object.keys(found)).toHaveLength(100);
    expect(found).toEqual(expected);
    // And the folder, while it is synced.
    expect(client.mostOpen).toBeLessThanOrEqual(5);
    expect(client.calls['open']).toBeGreaterThan(400);
  });

  test('property: paths, batches, buffers and flushes make no difference to what each file holds', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ to: fc.constantFrom('a', 'b/c', 'b/d', 'e', 'f.gz'), value: fc.nat(9999) }), {
          maxLength: 60,
        }),
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 100 }),
        fc.integer({ min: 1, max: 300 }),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 10 }),
        async (rows, size, bufferBytes, maxBufferedBytes, maxOpen, flushEvery) => {
          const folder = testFolder();
          const client = faultyLayer();
          const options = {
            format: 'ndjson',
            root: folder,
            bufferBytes,
            maxBufferedBytes,
            maxOpen,
            client,
          } as const;
          const sink = new FileSink((row: Row) => row.to, options);
          await sink.open();
          let writes = 0;
          for (const batch of inBatches(rows, size)) {
            await sink.write(batch);
            writes += 1;
            if (writes % flushEvery === 0) await sink.flush();
          }
          await sink.close();
          const expected: Record<string, string> = {};
          for (const row of rows) expected[row.to] = (expected[row.to] ?? '') + `${JSON.stringify(row)}\n`;
          expect(treeOf(folder)).toEqual(expected);
          expect(client.open_).toBe(0);
          // A folder that is being synced is open beside the files.
          expect(client.mostOpen).toBeLessThanOrEqual(maxOpen + 1);
        },
      ),
      { numRuns: 120 },
    );
  });

  test('holds no more than its bounds, however many files and however slow the disk', async () => {
    const folder = testFolder();
    let waiting = 0;
    const client = faultyLayer({
      write: async () => {
        waiting += 1;
        await new Promise((resolve) => setTimeout(resolve, 2));
      },
    });
    const sink = new FileSink((row: Row) => row.to, {
      format: 'ndjson',
      root: folder,
      maxBufferedBytes: 4 << 20,
      maxOpen: 8,
      client,
    });
    await sink.open();
    const filler = 'x'.repeat(1000);
    const before = process.memoryUsage().arrayBuffers;
    let peak = 0;
    for (let batch = 0; batch < 200; batch += 1) {
      const rows = Array.from({ length: 500 }, (_, index) => ({
        to: `${(batch + index) % 200}`,
        value: index,
        filler,
      }));
      await sink.write(rows);
      peak = Math.max(peak, process.memoryUsage().arrayBuffers - before);
    }
    await sink.close();
    expect(waiting).toBeGreaterThan(50);
    // 100 MB went through; what is freed is collected late.
    expect(peak).toBeLessThan(32 << 20);
  }, 30_000);

  test('answers synchronously again once the disk has caught up', async () => {
    const sink = new FileSink(join(testFolder(), 'out'), { bufferBytes: 2000, maxBufferedBytes: 10_000 });
    await sink.open();
    const line = 'x'.repeat(999);
    for (let round = 0; round < 30; round += 1) {
      const answer = sink.write([line]);
      expect(answer).not.toBeInstanceOf(Promise);
      await sink.flush();
    }
    await sink.close();
  });

  test('counts two spellings of a path as one file', async () => {
    const folder = testFolder();
    await writeAll(new FileSink((item: string) => item, { root: folder }), [
      ['a/b', './a/b', 'a//b', 'a/c/../b', join(folder, 'a/b')],
    ]);
    expect(Object.keys(treeOf(folder))).toEqual(['a/b']);
  });

  test.each(['__proto__', 'a b', 'ü/ö', '-rf', 'a\nb', '*?[x]{y}', `${'x'.repeat(255)}`, '.hidden', '...'])(
    'writes to odd names: %j',
    async (name) => {
      const folder = testFolder();
      await writeAll(new FileSink(() => name, { root: folder }), [['content']]);
      expect(treeOf(folder)).toEqual({ [name]: 'content\n' });
    },
  );

  test.each([
    ['../x', 'SW_FILE_PATH_ESCAPES'],
    ['a/../../x', 'SW_FILE_PATH_ESCAPES'],
    ['/etc/passwd', 'SW_FILE_PATH_ESCAPES'],
    ['..', 'SW_FILE_PATH_ESCAPES'],
    ['', 'SW_FILE_PATH_INVALID'],
    ['.', 'SW_FILE_PATH_INVALID'],
    ['a/', 'SW_FILE_PATH_INVALID'],
    ['a\0b', 'SW_FILE_PATH_INVALID'],
    [undefined, 'SW_FILE_PATH_INVALID'],
  ])('takes nothing of a batch in which an item goes to %j', async (bad, code) => {
    const folder = testFolder();
    const root = join(folder, 'root');
    const sink = new FileSink((item: { path: unknown }) => item.path as string, { format: 'ndjson', root });
    await sink.open();
    const failure = await failureOf(
      (async () => sink.write([{ path: 'good' }, { path: bad }, { path: 'good' }, { path: bad }]))(),
    );
    expect(failure).toBeInstanceOf(FileItemError);
    expect(failure).toMatchObject({ code, failed: [1, 3], retryable: false });
    await sink.write([{ path: 'good' }]);
    await sink.close();
    expect(treeOf(folder)).toEqual({ 'root/good': '{"path":"good"}\n' });
  });

  test('keeps paths that a function answers in the current folder where no root is given', async () => {
    const before = process.cwd();
    process.chdir(testFolder());
    try {
      const sink = new FileSink((item: string) => item);
      await sink.open();
      expect((await failureOf((async () => sink.write(['../x']))())).code).toBe('SW_FILE_PATH_ESCAPES');
      await sink.write(['in/side']);
      await sink.close();
      expect(treeOf('.')).toEqual({ 'in/side': 'in/side\n' });
    } finally {
      process.chdir(before);
    }
  });

  test('names the item that cannot be encoded, takes nothing, and writes the rest as if it had not been', async () => {
    const folder = testFolder();
    const sink = new FileSink((row: { to: string; value: unknown }) => row.to, {
      format: 'csv' as never,
      root: folder,
    });
    await sink.open();
    const rows = [
      { to: 'a', value: 1 },
      { to: 'b', value: 2 },
      { to: 'a', value: 3 },
      { to: 'b', value: { deep: true } },
    ];
    const failure = await failureOf((async () => sink.write(rows))());
    expect(failure).toMatchObject({ code: 'SW_FORMAT_INVALID_ITEM', failed: [3], retryable: false });
    await sink.write(rows.slice(0, 3));
    await sink.close();
    expect(treeOf(folder)).toEqual({ a: 'to,value\na,1\na,3\n', b: 'to,value\nb,2\n' });
  });

  test('blames the path function, and an encoder, for what they throw', async () => {
    const folder = testFolder();
    const boom = new Error('boom');
    const sink = new FileSink(
      (): string => {
        throw boom;
      },
      { root: folder },
    );
    await sink.open();
    expect(await failureOf((async () => sink.write(['x']))())).toMatchObject({ failed: [0], cause: boom });
    await sink.close();
    const broken: Format<unknown, string> = {
      ...lines(),
      encoder: () => ({
        encode: () => {
          throw boom;
        },
        end: () => new Uint8Array(0),
      }),
    };
    const other = new FileSink(join(folder, 'x'), { format: broken });
    await other.open();
    expect(await failureOf((async () => other.write(['x']))())).toMatchObject({
      failed: undefined,
      retryable: false,
      cause: boom,
    });
    await other.close(boom);
    expect(treeOf(folder)).toEqual({});
  });

  test('does not keep or change what it was given', async () => {
    const path = join(testFolder(), 'out');
    const sink = new FileSink(path, { format: 'bytes' });
    await sink.open();
    const bytes = Buffer.from('abc');
    await sink.write(Object.freeze([bytes]));
    bytes.fill('x');
    await sink.close();
    expect(readFileSync(path, 'utf8')).toBe('abc');
  });

  test('creates folders, or does not, as it is told', async () => {
    const folder = testFolder();
    await writeAll(new FileSink(join(folder, 'a/b/c.txt')), [['x']]);
    expect(existsSync(join(folder, 'a/b/c.txt'))).toBe(true);
    const sink = new FileSink(join(folder, 'd/e.txt'), { mkdir: false });
    expect((await failureOf(writeAll(sink, []))).code).toBe('SW_FILE_NOT_FOUND');
    expect(existsSync(join(folder, 'd'))).toBe(false);
  });

  test('keeps the permissions of the file it replaces, and sets those it is given', async () => {
    const folder = testFolder();
    const mode = (name: string) => (statSync(join(folder, name)).mode & 0o777).toString(8);
    writeFileSync(join(folder, 'a'), '');
    chmodSync(join(folder, 'a'), 0o646);
    await writeAll(new FileSink(join(folder, 'a')), [['x']]);
    await writeAll(new FileSink(join(folder, 'b'), { mode: 0o622 }), [['x']]);
    expect([mode('a'), mode('b')]).toEqual(['646', '622']);
  });

  test('refuses a target that is no file before the first item; a link is replaced, not what it leads to', async () => {
    const folder = testFolder();
    mkdirSync(join(folder, 'dir'));
    writeFileSync(join(folder, 'real'), 'real\n');
    symlinkSync('real', join(folder, 'link'));
    const open = async (path: string) => {
      const sink = new FileSink(path);
      const failure = await failureOf(sink.open());
      await sink.close(failure);
      return failure.code;
    };
    expect(await open(join(folder, 'dir'))).toBe('SW_FILE_IS_DIRECTORY');
    expect(await open(join(folder, 'real/x'))).toBe('SW_FILE_PATH_INVALID');
    if (process.platform === 'linux') expect(await open('/dev/null')).toBe('SW_FILE_NOT_REGULAR');
    await writeAll(new FileSink(join(folder, 'link')), [['new']]);
    expect(treeOf(folder)).toEqual({ link: 'new\n', real: 'real\n' });
  });

  test('leaves no handle at any point of giving up', async () => {
    const folder = testFolder();
    for (let writes = 0; writes < 40; writes += 1) {
      const sink = new FileSink((row: Row) => row.to, {
        format: 'ndjson',
        root: folder,
        bufferBytes: 100,
        maxOpen: 3,
      });
      await sink.open();
      for (let done = 0; done < writes; done += 1) {
        await sink.write(Array.from({ length: 30 }, (_, index) => ({ to: `${index % 7}`, value: index })));
      }
      await sink.close(new Error('enough'));
      expect([openFilesIn(folder), readdirSync(folder)]).toEqual([[], []]);
    }
  });

  test('can be opened again once it was closed', async () => {
    const path = join(testFolder(), 'out');
    const sink = new FileSink(path);
    await writeAll(sink, [['one']]);
    await writeAll(sink, [['two']]);
    expect(readFileSync(path, 'utf8')).toBe('two\n');
  });

  test('refuses options that cannot work, when they are given', () => {
    const wrong =
      (options: object, path: unknown = 'x') =>
      () =>
        new FileSink(path as string, options);
    expect(wrong({}, '')).toThrow(/path must be a string that is not empty/);
    expect(wrong({}, null)).toThrow(/path/);
    expect(wrong({ level: 10 })).toThrow(/level must be a whole number from 0 to 9, got 10/);
    expect(wrong({ mode: 0o1000 })).toThrow(/mode/);
    expect(wrong({ maxOpen: 0 })).toThrow(/maxOpen/);
    expect(wrong({ bufferBytes: Number.NaN })).toThrow(/bufferBytes/);
    expect(wrong({ maxBufferedBytes: -1 })).toThrow(/maxBufferedBytes/);
    expect(wrong({ mkdir: 'yes' })).toThrow(/mkdir/);
    expect(wrong({ root: '' })).toThrow(/root/);
    expect(wrong({ format: 'json' })).toThrow(/format/);
    expect(wrong({ append: 'yes' })).toThrow(/append/);
  });
});
