/** FAULTS.md, what concerns reading. A test begins with the number of its row. */

import { execFile, execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { FileSource } from '@streamweld/file';
import { lines, ndjson } from '@streamweld/formats';
import { describe, expect, test } from 'vitest';
import { contextOf, failureOf, itemsOf, type Pulled, pullAll, testFolder } from './driving.ts';
import { faultyLayer, systemError } from './file-layer.ts';

const onLinux = test.skipIf(process.platform !== 'linux');

function fileWith(content: string | Uint8Array, name = 'input.txt'): string {
  const path = join(testFolder(), name);
  writeFileSync(path, content);
  return path;
}

/** Lines that do not compress to nothing. */
const noisy = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${index} ${(index * 2654435761) % 4294967296}`);

describe('FileSource and faults', () => {
  test('26 strips a byte order mark once', async () => {
    const bom = '\uFEFF';
    expect(await itemsOf(new FileSource(fileWith(`${bom}one\n${bom}two\n`)))).toEqual(['one', `${bom}two`]);
    expect(
      await itemsOf(new FileSource(fileWith(`${bom}a,b\n1,2\n`), { format: 'csv', chunkBytes: 1 })),
    ).toEqual([{ a: '1', b: '2' }]);
    expect(await itemsOf(new FileSource(fileWith(gzipSync(`${bom}one\n`))))).toEqual(['one']);
  });

  test('27 29 cuts lines alike whatever the chunks: CRLF, lone CR, no final newline, letters of many bytes', async () => {
    const path = fileWith('a\r\nb\rc\n\r\n\n😀ä\r\nlast €');
    for (let chunkBytes = 1; chunkBytes <= 32; chunkBytes += 1) {
      expect(await itemsOf(new FileSource(path, { chunkBytes }))).toEqual([
        'a',
        'b\rc',
        '',
        '',
        '😀ä',
        'last €',
      ]);
    }
  });

  test('27 29 cuts lines alike however short the reads', async () => {
    let short = 0;
    const client = faultyLayer({
      async read(_path, length) {
        short += 1;
        return Math.min(length, 1 + (short % 3));
      },
    });
    const path = fileWith('a\r\nb\rc\n\r\n\n😀ä\r\nlast €');
    expect(await itemsOf(new FileSource(path, { client }))).toEqual(['a', 'b\rc', '', '', '😀ä', 'last €']);
    expect(short).toBeGreaterThan(10);
  });

  test('28 fails at invalid UTF-8 with its byte, after what is before it; replaces or keeps bytes on request', async () => {
    const content = Buffer.concat([Buffer.from('good\nb'), Buffer.from([0xff]), Buffer.from('d\nmore\n')]);
    const path = fileWith(content);
    const seen: Pulled<string>[] = [];
    const failure = await failureOf(pullAll(new FileSource(path), { seen }));
    expect(failure).toMatchObject({ code: 'SW_FORMAT_INVALID_UTF8', cause: { offset: 6 } });
    expect(failure.message).toContain(path);
    expect(seen.map(({ items, position }) => [items, position.offset])).toEqual([[['good'], 5]]);
    expect(await itemsOf(new FileSource(path, { format: lines({ invalidUtf8: 'replace' }) }))).toEqual([
      'good',
      'b\uFFFDd',
      'more',
    ]);
    expect(Buffer.concat(await itemsOf(new FileSource(path, { format: 'bytes' })))).toEqual(content);
  });

  test('30 refuses a line of 1 GiB without holding it', async () => {
    const path = fileWith('first\n');
    truncateSync(path, 1 << 30);
    const seen: Pulled<string>[] = [];
    let peak = 0;
    const client = faultyLayer({
      read: async () => {
        peak = Math.max(peak, process.memoryUsage().arrayBuffers);
      },
    });
    const before = process.memoryUsage().arrayBuffers;
    const failure = await failureOf(pullAll(new FileSource(path, { client }), { seen }));
    expect(failure.code).toBe('SW_FORMAT_LINE_TOO_LONG');
    expect(seen.flatMap((batch) => batch.items)).toEqual(['first']);
    expect(client.calls['read']).toBeGreaterThan(30);
    expect(peak - before).toBeLessThan(100 << 20);
  });

  test('30 leaves a line of 1 GiB out on request', async () => {
    const path = fileWith('first\n');
    truncateSync(path, 1 << 30);
    const handle = openSync(path, 'a');
    writeSync(handle, '\nlast\n');
    closeSync(handle);
    const before = process.memoryUsage().arrayBuffers;
    const items = await itemsOf(new FileSource(path, { format: lines({ onLongLine: 'skip' }) }));
    expect(items).toEqual(['first', 'last']);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(100 << 20);
  }, 30_000);

  test('31 counts NUL bytes, nothing, only newlines, and ten million empty lines', async () => {
    expect(await itemsOf(new FileSource(fileWith('a\0b\n\0\n')))).toEqual(['a\0b', '\0']);
    expect(await itemsOf(new FileSource(fileWith('')))).toEqual([]);
    expect(await itemsOf(new FileSource(fileWith(''), { format: 'csv' }))).toEqual([]);
    expect(await itemsOf(new FileSource(fileWith('\n\n\n')))).toEqual(['', '', '']);
    const source = new FileSource(fileWith(Buffer.alloc(10_000_000, '\n')));
    await source.open(contextOf());
    let count = 0;
    for (let batch = await source.pull(10_000); batch !== undefined; batch = await source.pull(10_000)) {
      count += batch.items.length;
    }
    await source.close();
    expect(count).toBe(10_000_000);
  });

  test('32 fails where gzip is cut, after whole records only, and resumes behind the last of them', async () => {
    const all = noisy(60_000);
    const zipped = gzipSync(`${all.join('\n')}\n`);
    for (const part of [0.1, 0.5, 0.9, 0.999]) {
      const path = fileWith(zipped.subarray(0, Math.floor(zipped.length * part)), 'cut.gz');
      const seen: Pulled<string>[] = [];
      const failure = await failureOf(pullAll(new FileSource(path), { seen, demand: 777 }));
      expect(failure.code).toBe('SW_FORMAT_GZIP_TRUNCATED');
      expect(failure.message).toContain(path);
      const items = seen.flatMap((batch) => batch.items);
      expect(items).toEqual(all.slice(0, items.length));
      expect(seen.at(-1)?.position.done).toBeUndefined();
      expect(seen.at(-1)?.position.offset ?? 0).toBe(items.join('\n').length + (items.length > 0 ? 1 : 0));
      if (part >= 0.5) expect(items.length).toBeGreaterThan(0);

      writeFileSync(path, zipped);
      const positions = new Map(seen.map((batch) => [batch.lane, batch.position]));
      expect(await itemsOf(new FileSource(path), { positions })).toEqual(all.slice(items.length));
    }
  });

  test('32 takes an empty .gz for what it is: no items. One of a single byte is cut', async () => {
    expect(await itemsOf(new FileSource(fileWith('', 'empty.gz')))).toEqual([]);
    expect((await failureOf(itemsOf(new FileSource(fileWith('\x1f', 'cut.gz'))))).code).toBe(
      'SW_FORMAT_GZIP_TRUNCATED',
    );
  });

  test('33 reads members one after the other and zeros behind them; fails at garbage and a bad checksum', async () => {
    const members = Buffer.concat([gzipSync('one\ntw'), gzipSync('o\n'), gzipSync('')]);
    expect(await itemsOf(new FileSource(fileWith(members)))).toEqual(['one', 'two']);
    expect(await itemsOf(new FileSource(fileWith(Buffer.concat([members, Buffer.alloc(1000)]))))).toEqual([
      'one',
      'two',
    ]);

    const garbage = await failureOf(
      itemsOf(new FileSource(fileWith(Buffer.concat([members, Buffer.from('garbage!')])))),
    );
    expect(garbage.code).toBe('SW_FORMAT_GZIP_INVALID');

    const text = noisy(60_000).join('\n');
    const damaged = Buffer.from(gzipSync(text));
    damaged[damaged.length - 8] = (damaged.at(-8) as number) ^ 1;
    const seen: Pulled<string>[] = [];
    expect((await failureOf(pullAll(new FileSource(fileWith(damaged)), { seen }))).code).toBe(
      'SW_FORMAT_GZIP_INVALID',
    );
    expect(seen.flatMap((batch) => batch.items).length).toBeGreaterThan(0);
    expect(seen.at(-1)?.position.done).toBeUndefined();
  });

  test('34 stops a gzip bomb by its ratio and by its size', async () => {
    const path = fileWith(gzipSync(Buffer.alloc(64 << 20)), 'bomb.gz');
    const byRatio = await failureOf(itemsOf(new FileSource(path, { format: 'bytes' })));
    expect(byRatio.code).toBe('SW_FORMAT_GZIP_BOMB');
    const seen: Pulled<Uint8Array>[] = [];
    const bySize = await failureOf(
      pullAll(new FileSource(path, { format: 'bytes', gunzip: { maxBytes: 1 << 20 } }), { seen }),
    );
    expect(bySize.code).toBe('SW_FORMAT_GZIP_BOMB');
    expect(seen.at(-1)?.position.offset ?? 0).toBeLessThanOrEqual(1 << 20);
    const allowed = await itemsOf(new FileSource(path, { format: 'bytes', gunzip: { maxRatio: 1032 } }));
    expect(allowed.reduce((sum, chunk) => sum + chunk.length, 0)).toBe(64 << 20);
  });

  test('35 reports an unfinished last record with its number and byte', async () => {
    const path = fileWith('{"a":1}\n{"a":2', 'log.ndjson');
    const seen: Pulled<unknown>[] = [];
    const failure = await failureOf(pullAll(new FileSource(path, { format: 'ndjson' }), { seen }));
    expect(failure).toMatchObject({ code: 'SW_FORMAT_TRUNCATED', cause: { record: 2, offset: 8 } });
    writeFileSync(path, '{"a":1}\n{"a":2}\n');
    const positions = new Map(seen.map((batch) => [batch.lane, batch.position]));
    expect(await itemsOf(new FileSource(path, { format: 'ndjson' }), { positions })).toEqual([{ a: 2 }]);
  });

  test('36 survives JSON that is deep, doubled, large or named __proto__', async () => {
    const deep = fileWith(`${'['.repeat(100_000)}${']'.repeat(100_000)}\n`, 'deep.ndjson');
    expect((await failureOf(itemsOf(new FileSource(deep, { format: 'ndjson' })))).code).toBe(
      'SW_FORMAT_TOO_DEEP',
    );
    expect(
      await itemsOf(new FileSource(fileWith('{"a":{"b":1}}\n'), { format: ndjson({ maxDepth: 2 }) })),
    ).toEqual([{ a: { b: 1 } }]);
    const odd = fileWith('{"a":1,"a":2}\n9007199254740993\n{"__proto__":{"polluted":true}}\n');
    const [doubled, large, proto] = await itemsOf(
      new FileSource<Record<string, unknown>>(odd, { format: 'ndjson' }),
    );
    expect(doubled).toEqual({ a: 2 });
    expect(large).toBe(9007199254740992);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    expect(Object.getPrototypeOf(proto)).toBe(Object.prototype);
  });

  test('41 waits for a handle, and gives up with a code where none comes', async () => {
    let refused = 0;
    const soon = faultyLayer({
      open: () => {
        refused += 1;
        if (refused <= 3) throw systemError('EMFILE');
        return undefined;
      },
    });
    const path = fileWith('one\n');
    expect(await itemsOf(new FileSource(path, { client: soon }))).toEqual(['one']);
    expect(refused).toBe(4);
    const never = faultyLayer({
      open: () => {
        throw systemError('ENFILE');
      },
    });
    const failure = await failureOf(itemsOf(new FileSource(path, { client: never })));
    expect(failure).toMatchObject({ code: 'SW_FILE_TOO_MANY_OPEN', cause: { code: 'ENFILE' } });
  });

  onLinux(
    '41 reads 10,000 files with few handles',
    async () => {
      const folder = testFolder();
      for (let index = 0; index < 10_000; index += 1)
        writeFileSync(join(folder, `${index}.txt`), `${index}\n`);
      const script = join(import.meta.dirname, 'children/count-lines.ts');
      const command = `ulimit -n 64; exec "$0" --conditions=@streamweld/source --import tsx "$1" "$2"`;
      const { stdout } = await promisify(execFile)('bash', [
        '-c',
        command,
        process.execPath,
        script,
        `${folder}/*.txt`,
      ]);
      expect(JSON.parse(stdout)).toEqual({ limit: '64', items: 10_000, sum: 49_995_000 });
    },
    60_000,
  );

  test('42 tells what stands where a file was expected', async () => {
    const folder = testFolder();
    mkdirSync(join(folder, 'folder'));
    writeFileSync(join(folder, 'file'), '');
    symlinkSync('circle', join(folder, 'circle'));
    symlinkSync('nowhere', join(folder, 'dead'));
    const codeOf = async (path: string) =>
      (await failureOf(itemsOf(new FileSource(join(folder, path))))).code;
    expect(await codeOf('missing')).toBe('SW_FILE_NOT_FOUND');
    expect(await codeOf('missing/file')).toBe('SW_FILE_NOT_FOUND');
    expect(await codeOf('dead')).toBe('SW_FILE_NOT_FOUND');
    expect(await codeOf('folder')).toBe('SW_FILE_IS_DIRECTORY');
    expect(await codeOf('circle')).toBe('SW_FILE_LOOP');
    expect(await codeOf('file/file')).toBe('SW_FILE_PATH_INVALID');
    expect(await codeOf('x'.repeat(300))).toBe('SW_FILE_PATH_INVALID');
    expect(await codeOf('a\0b')).toBe('SW_FILE_PATH_INVALID');
  });

  test('42 tells of access denied and a disk that fails', async () => {
    const path = fileWith('one\n');
    const code = async (errno: string, call: 'open' | 'read') => {
      let fired = 0;
      const client = faultyLayer({
        [call]: () => {
          fired += 1;
          throw systemError(errno);
        },
      });
      const failure = await failureOf(itemsOf(new FileSource(path, { client })));
      expect(fired).toBe(1);
      expect(client.open_).toBe(0);
      expect(failure.message).toContain(path);
      return failure.code;
    };
    expect(await code('EACCES', 'open')).toBe('SW_FILE_DENIED');
    expect(await code('EIO', 'open')).toBe('SW_FILE_READ_FAILED');
    expect(await code('EIO', 'read')).toBe('SW_FILE_READ_FAILED');
    if (process.getuid?.() !== 0) {
      chmodSync(path, 0);
      expect((await failureOf(itemsOf(new FileSource(path)))).code).toBe('SW_FILE_DENIED');
    }
  });

  onLinux('42 refuses a pipe and a device without touching them', async () => {
    const pipe = join(testFolder(), 'pipe');
    execFileSync('mkfifo', [pipe]);
    for (const path of [pipe, '/dev/zero', '/dev/null']) {
      const client = faultyLayer();
      const failure = await failureOf(itemsOf(new FileSource(path, { client })));
      expect(failure.code).toBe('SW_FILE_NOT_REGULAR');
      expect(failure.message).toContain('allowSpecial');
      expect(client.calls['open']).toBeUndefined();
    }
    expect((await failureOf(itemsOf(new FileSource(`${pipe}*`)))).code).toBe('SW_FILE_NO_MATCH');
  });

  onLinux('42 reads a pipe where that is meant, as it is written', async () => {
    const pipe = join(testFolder(), 'pipe');
    execFileSync('mkfifo', [pipe]);
    let read = (): void => {};
    const nextRead = (): Promise<void> =>
      new Promise((resolve) => {
        read = resolve;
      });
    const source = new FileSource(pipe, { allowSpecial: true, client: faultyLayer({ read: () => read() }) });
    await source.open(contextOf());
    let waiting = nextRead();
    const first = source.pull(10);
    // Nobody has opened it for writing: it looks as if it were at its end.
    await waiting;
    const writer = openSync(pipe, 'w');
    writeSync(writer, 'one\ntw');
    expect((await first)?.items).toEqual(['one']);
    waiting = nextRead();
    const second = source.pull(10);
    // Somebody has, and says nothing.
    await waiting;
    await nextRead();
    writeSync(writer, 'o\nthree');
    expect((await second)?.items).toEqual(['two']);
    closeSync(writer);
    expect((await source.pull(10))?.items).toEqual(['three']);
    expect((await source.pull(10))?.position.done).toBe(true);
    expect(await source.pull(10)).toBeUndefined();
    await source.close();
  });

  onLinux(
    '42 stops at once while a pipe has no writer, and reads a device as long as it is asked',
    async () => {
      const pipe = join(testFolder(), 'pipe');
      execFileSync('mkfifo', [pipe]);
      const source = new FileSource(pipe, { allowSpecial: true });
      await source.open(contextOf());
      const pull = source.pull(10);
      await new Promise((resolve) => setImmediate(resolve));
      source.stop();
      expect(await pull).toBeUndefined();
      await source.close();

      const zeros = new FileSource('/dev/zero', { allowSpecial: true, format: 'bytes' });
      await zeros.open(contextOf());
      expect((await zeros.pull(1))?.items[0]?.length).toBe(512 << 10);
      await zeros.close();
    },
  );
});
