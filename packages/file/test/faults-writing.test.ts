/** FAULTS.md, what concerns writing, as far as this version goes. A test begins with the number of its row. */

import { execFile } from 'node:child_process';
import { constants, promises, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { FileSink } from '@streamweld/file';
import { describe, expect, test } from 'vitest';
import { durableOf, failureOf, testFolder, until, writeAll } from './driving.ts';
import { faultyLayer, systemError } from './file-layer.ts';

const onLinux = test.skipIf(process.platform !== 'linux');

const BATCHES: readonly (readonly string[])[] = Array.from({ length: 50 }, (_, batch) =>
  Array.from({ length: 10 }, (_, index) => `batch ${batch} item ${index}`),
);
const ALL = BATCHES.flat()
  .map((item) => `${item}\n`)
  .join('');

/** Writes all, repeating a write that was rejected; answers how often that was. */
async function writeRepeating(sink: FileSink<string>): Promise<number> {
  let rejected = 0;
  const repeating = async <R>(action: () => R): Promise<Awaited<R>> => {
    for (;;) {
      try {
        return await action();
      } catch (error) {
        rejected += 1;
        if (rejected > 200) throw error;
      }
    }
  };
  await sink.open();
  for (const batch of BATCHES) await repeating(() => sink.write(batch));
  await repeating(() => sink.flush());
  await sink.close();
  return rejected;
}

describe('FileSink and faults', () => {
  onLinux('[fault 43] shows nothing where the disk is full', async () => {
    const folder = testFolder();
    writeFileSync(join(folder, 'out'), 'old\n');
    let opened = 0;
    const full = faultyLayer({
      open: (path) => {
        if (!path.endsWith('.tmp')) return undefined;
        opened += 1;
        return promises.open('/dev/full', constants.O_RDWR);
      },
    });
    for (const format of ['out', 'out.gz']) {
      const sink = new FileSink(join(folder, format), { client: full, bufferBytes: 100 });
      const failure = await failureOf(writeAll(sink, BATCHES));
      expect(failure).toMatchObject({ code: 'SW_FILE_NO_SPACE', cause: { code: 'ENOSPC' } });
      expect(failure.message).toContain(join(folder, format));
    }
    expect(opened).toBeGreaterThan(1);
    expect(full.open_).toBe(0);
    expect(readFileSync(join(folder, 'out'), 'utf8')).toBe('old\n');
    expect(readdirSync(folder)).toEqual(['out']);
  });

  test('[fault 43] rejects a write without having taken anything of it, and goes on where there is room again', async () => {
    for (const name of ['out', 'out.gz']) {
      const folder = testFolder();
      let refused = 0;
      let writes = 0;
      const client = faultyLayer({
        write: async (_path, length) => {
          writes += 1;
          // Every third write fails, the one before it is short: the record it tears is written again, whole.
          if (writes % 3 === 2) return Math.ceil(length / 3);
          if (writes % 3 > 0) return undefined;
          refused += 1;
          throw systemError('ENOSPC');
        },
      });
      const sink = new FileSink(join(folder, name), { client, bufferBytes: 200 });
      const rejected = await writeRepeating(sink);
      expect(refused).toBeGreaterThan(5);
      expect(rejected).toBeGreaterThan(0);
      const content = readFileSync(join(folder, name));
      const { gunzipSync } = await import('node:zlib');
      expect((name === 'out' ? content : gunzipSync(content)).toString()).toBe(ALL);
    }
  });

  test('[fault 43] goes on where a write is short', async () => {
    const folder = testFolder();
    const client = faultyLayer({ write: async (_path, length) => Math.min(length, 7) });
    await writeAll(new FileSink(join(folder, 'out'), { client }), BATCHES);
    expect(client.calls['write']).toBeGreaterThan(1000);
    expect(readFileSync(join(folder, 'out'), 'utf8')).toBe(ALL);
  });

  test('[fault 43] tells the next write, whichever file it is for, and writes what was accepted before it', async () => {
    const folder = testFolder();
    let isFull = true;
    let fired = 0;
    const client = faultyLayer({
      write: async () => {
        if (!isFull) return;
        fired += 1;
        throw systemError('ENOSPC');
      },
    });
    const sink = new FileSink((item: string) => item, { root: folder, bufferBytes: 1, client });
    await sink.open();
    await sink.write(['a']);
    // The write-out that was set going by it has failed.
    await until(() => fired === 1);
    expect(fired).toBe(1);
    expect((await failureOf((async () => sink.write(['b']))())).code).toBe('SW_FILE_NO_SPACE');
    expect(fired).toBe(2);
    isFull = false;
    await sink.write(['c']);
    await sink.close();
    expect(readdirSync(folder).sort()).toEqual(['a', 'c']);
    expect(readFileSync(join(folder, 'a'), 'utf8')).toBe('a\n');
  });

  test('[fault 43] cuts off what a failed write left behind the last whole one', async () => {
    const folder = testFolder();
    let fired = 0;
    const client = faultyLayer({
      write: async (path, length, position) => {
        if (position < 20 || fired > 0) return undefined;
        fired += 1;
        const handle = await promises.open(path, 'r+');
        await handle.write('half a rec', position);
        await handle.close();
        throw systemError('ENOSPC');
      },
    });
    const sink = new FileSink(join(folder, 'out'), { client, bufferBytes: 1 });
    await sink.open();
    await sink.write(['a line that was kept']);
    await sink.flush();
    await sink.write(['another']);
    await failureOf(sink.flush());
    expect(fired).toBe(1);
    await sink.close(new Error('the run failed'));
    const [temporary] = readdirSync(folder);
    expect(readFileSync(join(folder, temporary as string), 'utf8')).toBe('a line that was kept\n');
  });

  onLinux(
    '[fault 44] shows nothing where a file grows beyond its limit',
    async () => {
      const folder = testFolder();
      const script = join(import.meta.dirname, 'children/write-lines.ts');
      // In blocks of 1,024 bytes; the shell ignores the signal, so that the write itself fails.
      const command = `trap '' XFSZ; ulimit -f 64; exec "$0" --conditions=@streamweld/source --import tsx "$1" "$2"`;
      const { stdout } = await promisify(execFile)('bash', [
        '-c',
        command,
        process.execPath,
        script,
        join(folder, 'out'),
      ]);
      expect(JSON.parse(stdout)).toEqual({ code: 'SW_FILE_TOO_LARGE', cause: 'EFBIG', left: [] });
      expect(readdirSync(folder)).toEqual([]);
    },
    30_000,
  );

  test('[fault 45] fails for good where a sync failed: it is never asked again as if nothing had been', async () => {
    const folder = testFolder();
    let fired = 0;
    const client = faultyLayer({
      datasync: async () => {
        fired += 1;
        if (fired === 1) throw systemError('EIO');
      },
    });
    const sink = new FileSink(join(folder, 'out'), { client });
    await sink.open();
    const durable = durableOf(await sink.write(['one']));
    const failure = await failureOf(sink.flush());
    expect(failure).toMatchObject({ code: 'SW_FILE_SYNC_FAILED', cause: { code: 'EIO' } });
    expect(await failureOf(sink.flush())).toBe(failure);
    expect(await failureOf((async () => sink.write(['two']))())).toBe(failure);
    expect(await failureOf(sink.close())).toBe(failure);
    expect(await failureOf(durable)).toBe(failure);
    expect(fired).toBe(1);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('[fault 45] fails for good where the folder cannot be synced, or a handle cannot be closed', async () => {
    const folder = testFolder();
    let fired = 0;
    const fail = async (): Promise<void> => {
      fired += 1;
      throw systemError('EIO');
    };
    const sync = new FileSink(join(folder, 'a'), { client: faultyLayer({ sync: fail }) });
    expect((await failureOf(writeAll(sync, BATCHES))).code).toBe('SW_FILE_SYNC_FAILED');
    expect(fired).toBe(1);
    const close = new FileSink((item: string) => item.slice(-1), {
      root: folder,
      maxOpen: 1,
      bufferBytes: 1,
      client: faultyLayer({ close: fail }),
    });
    expect((await failureOf(writeAll(close, BATCHES))).code).toBe('SW_FILE_SYNC_FAILED');
    expect(fired).toBeGreaterThan(1);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('[fault 47] waits for a slow disk with bounded memory, and gives up without waiting for all of it', async () => {
    const folder = testFolder();
    let writes = 0;
    const held: (() => void)[] = [];
    const client = faultyLayer({
      write: async () => {
        writes += 1;
        await new Promise<void>((go) => held.push(go));
      },
    });
    const sink = new FileSink((item: string) => item.slice(-1), {
      root: folder,
      bufferBytes: 20,
      maxBufferedBytes: 20_000,
      client,
    });
    /** The disk does one thing at a time, as long as somebody waits for it. */
    const slowly = async (waitedFor: Promise<unknown>): Promise<void> => {
      let isOver = false;
      void waitedFor.finally(() => {
        isOver = true;
      });
      while (!isOver) {
        held.shift()?.();
        await until(() => true, 1);
      }
    };
    await sink.open();
    let waits = 0;
    for (const batch of BATCHES.slice(0, 8)) {
      const answer = sink.write(batch);
      if (!(answer instanceof Promise)) continue;
      waits += 1;
      await slowly(answer);
    }
    expect(waits).toBeGreaterThan(0);
    await until(() => held.length > 0);
    const before = writes;
    await slowly(sink.close(new Error('the deadline has passed')));
    // It waits for those that are outstanding, and begins no other: not for all that is buffered.
    expect(writes - before).toBeLessThanOrEqual(4);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('[fault 48] fails where the folder is gone, and shows nothing', async () => {
    const folder = testFolder();
    const sink = new FileSink(join(folder, 'sub/out'));
    await sink.open();
    await sink.write(['one']);
    await sink.flush();
    rmSync(join(folder, 'sub'), { recursive: true });
    const failure = await failureOf(sink.close());
    expect(failure).toMatchObject({ code: 'SW_FILE_NOT_FOUND', path: join(folder, 'sub/out') });
    expect(readdirSync(folder)).toEqual([]);
  });

  test('[fault 48] keeps what was promised where the rename fails, and leaves nothing where it was not', async () => {
    for (const [errno, code] of [
      ['EXDEV', 'SW_FILE_CROSS_DEVICE'],
      ['EACCES', 'SW_FILE_DENIED'],
      ['EROFS', 'SW_FILE_DENIED'],
    ] as const) {
      const folder = testFolder();
      let fired = 0;
      const client = faultyLayer({
        rename: (_from, to) => {
          if (!to.endsWith('2')) return undefined;
          fired += 1;
          throw systemError(errno);
        },
      });
      const make = () => new FileSink((item: string) => item.slice(-1), { root: folder, client });
      expect((await failureOf(writeAll(make(), BATCHES))).code).toBe(code);
      expect(fired).toBe(1);
      const names = readdirSync(folder);
      const kept = names.filter((name) => name.endsWith('.tmp'));
      expect(names.filter((name) => !name.endsWith('.tmp'))).toEqual(['0', '1']);
      expect(kept.map((name) => name.slice(1, 2)).sort()).toEqual(['2', '3', '4', '5', '6', '7', '8', '9']);
      expect(
        readFileSync(join(folder, kept.find((name) => name.startsWith('.2')) as string), 'utf8'),
      ).toContain('batch 49 item 2\n');
      for (const name of names) rmSync(join(folder, name));

      const sink = make();
      await sink.open();
      for (const batch of BATCHES) await sink.write(batch);
      expect((await failureOf(sink.close())).code).toBe(code);
      expect(readdirSync(folder).sort()).toEqual(['0', '1']);
    }
  });

  test('[fault 48] writes its temporary in the folder of its target', async () => {
    const folder = testFolder();
    const opened: string[] = [];
    const client = faultyLayer({
      open: (path, flags) => {
        if (flags === 'wx') opened.push(path);
        return undefined;
      },
    });
    await writeAll(new FileSink(join(folder, 'a/b/out'), { client }), BATCHES);
    expect([...new Set(opened.map((path) => join(path, '..')))]).toEqual([join(folder, 'a/b')]);
  });

  test('[fault 41] closes a handle of its own where there is none left', async () => {
    const folder = testFolder();
    let open = 0;
    let refused = 0;
    const client = faultyLayer({
      open: (path) => {
        if (open >= 3 && path.endsWith('.tmp')) {
          refused += 1;
          throw systemError('EMFILE');
        }
        open += 1;
        return undefined;
      },
      close: () => {
        open -= 1;
      },
    });
    const begun = performance.now();
    await writeAll(
      new FileSink((item: string) => item.slice(-1), { root: folder, bufferBytes: 10, client }),
      BATCHES,
    );
    expect(refused).toBeGreaterThan(10);
    expect(performance.now() - begun).toBeLessThan(10_000);
    expect(readdirSync(folder)).toHaveLength(10);
    renameSync(join(folder, '0'), join(folder, 'zero'));
  });
});
