import {
  appendFileSync,
  existsSync,
  promises,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { FileSink } from '@streamweld/file';
import { describe, expect, test } from 'vitest';
import { failureOf, testFolder } from './driving.ts';
import { type Faults, faultyLayer, systemError } from './file-layer.ts';
import { contentOf, mortalLayer, openContext, writeContext, writeOnce } from './sink-driving.ts';

/** The ledger is written under another name, and renamed: its handle stays the same. */
function nameOf(path: string): string {
  return basename(path).replace(/\.ledger\.tmp$/, '.ledger');
}

describe('FileSink with a checkpoint', () => {
  test('K11 writes in place, and answers the positions of what it has when it is opened again', async () => {
    const folder = testFolder();
    const path = join(folder, 'out.ndjson');
    const sink = new FileSink<number>(path, { format: 'ndjson' });
    expect(sink.keepsPositions).toBe(true);
    await sink.open(openContext());
    expect([...sink.positions()]).toEqual([]);
    await sink.write([1, 2], writeContext({ a: 1 }));
    expect(readFileSync(path, 'utf8')).toBe('1\n2\n');
    await sink.write([3], writeContext({ b: { offset: 7n } }));
    await sink.close();
    await sink.open(openContext());
    expect([...sink.positions()]).toEqual([
      ['a', 1],
      ['b', { offset: 7n }],
    ]);
    await sink.write([4], writeContext({ a: 2 }));
    await sink.close();
    // A run that writes nothing changes nothing.
    for (let run = 0; run < 2; run += 1) {
      await sink.open(openContext());
      expect(sink.positions().get('b')).toEqual({ offset: 7n });
      await sink.close();
    }
    expect(contentOf(folder)).toEqual({ 'out.ndjson': '1\n2\n3\n4\n' });
    expect(readdirSync(folder).sort()).toEqual(['.out.ndjson.ledger', 'out.ndjson']);
  });

  test('K11 has, after a crash at any operation, both the items and the positions of a write or neither', async () => {
    const batches = [['one', 'two'], ['three'], ['four', 'five', 'six']];
    for (const name of ['out', 'out.gz']) {
      for (let limit = 1; ; limit += 1) {
        const folder = testFolder();
        let operations = 0;
        let ended: () => void = () => {};
        const isOver = new Promise<void>((resolve) => {
          ended = resolve;
        });
        const count = async (): Promise<void> => {
          operations += 1;
          if (operations < limit) return;
          ended();
          await new Promise(() => {});
        };
        const host = mortalLayer(folder);
        const faults: Faults = {
          // Half of what is to be written is, and then the process is gone.
          write: async (file, length, position) => {
            operations += 1;
            if (operations < limit) return;
            const handle = await promises.open(file, 'r+');
            await handle.write(Buffer.alloc(Math.ceil(length / 2), 'x'), 0, Math.ceil(length / 2), position);
            await handle.close();
            ended();
            await new Promise(() => {});
          },
          open: () => count() as Promise<never>,
          datasync: count,
          sync: count,
          rename: count,
          unlink: count,
          truncate: count,
        };
        const client = faultyLayer(faults, host);
        const sink = new FileSink(join(folder, name), { client });
        const done = writeOnce(sink, batches).then(
          () => 'done',
          (error: unknown) => error,
        );
        const outcome = await Promise.race([done, isOver]);
        await host.die();
        const again = new FileSink(join(folder, name));
        await again.open(openContext());
        const position = (again.positions().get('lane') ?? 0) as number;
        const kept = batches.slice(0, position).flat();
        expect(contentOf(folder)[name] ?? '', `after ${limit} operations`).toBe(
          kept.map((line) => `${line}\n`).join(''),
        );
        for (const [index, batch] of batches.entries()) {
          if (index >= position) await again.write(batch, writeContext({ lane: index + 1 }));
        }
        await again.close();
        expect(contentOf(folder)).toEqual({ [name]: 'one\ntwo\nthree\nfour\nfive\nsix\n' });
        if (outcome === 'done') {
          expect(limit).toBeGreaterThan(20);
          break;
        }
      }
    }
  }, 60_000);

  test('refuses what it has not written, and goes on behind it where it is told to', async () => {
    const folder = testFolder();
    const path = join(folder, 'out');
    writeFileSync(path, 'old\nopen');
    const refused = new FileSink(path);
    const failure = await failureOf(writeOnce(refused, [['new']]));
    await refused.close(failure);
    expect(failure).toMatchObject({ code: 'SW_FILE_OCCUPIED', path });
    expect(failure.message).toContain('append: true');
    expect(readFileSync(path, 'utf8')).toBe('old\nopen');
    rmSync(join(folder, '.out.ledger'), { force: true });
    await writeOnce(new FileSink(path, { append: true }), [['new']]);
    // The line that was open is closed first.
    expect(readFileSync(path, 'utf8')).toBe('old\nopen\nnew\n');
    await writeOnce(new FileSink(path, { append: true }), [['more']], 1);
    expect(readFileSync(path, 'utf8')).toBe('old\nopen\nnew\nmore\n');
  });

  test('ends a line that was left open, also where the run that found it wrote nothing', async () => {
    for (const name of ['out', 'out.gz']) {
      const folder = testFolder();
      const path = join(folder, name);
      writeFileSync(path, name === 'out' ? 'old' : gzipSync('old'));
      const client = faultyLayer({
        write: (file) => {
          if (file === path) throw systemError('EIO');
        },
      });
      const failed = new FileSink(path, { append: true, client });
      expect(await failureOf(writeOnce(failed, [['new']]))).toMatchObject({ code: 'SW_FILE_WRITE_FAILED' });
      await failed.close(new Error('over'));
      // The ledger knows the file by now, and nothing of it is ours.
      await writeOnce(new FileSink(path, { append: true }), [['new'], ['more']]);
      expect(contentOf(folder)).toEqual({ [name]: 'old\nnew\nmore\n' });
    }
  });

  test('cuts off what lies behind the ledger, and refuses a file that is shorter', async () => {
    const folder = testFolder();
    const path = join(folder, 'out');
    await writeOnce(new FileSink(path), [['one'], ['two']]);
    appendFileSync(path, 'torn');
    await writeOnce(new FileSink(path), [['three']], 2);
    expect(readFileSync(path, 'utf8')).toBe('one\ntwo\nthree\n');
    truncateSync(path, 5);
    const sink = new FileSink(path);
    const failure = await failureOf(sink.open(openContext()));
    await sink.close(failure);
    expect(failure).toMatchObject({ code: 'SW_FILE_LEDGER_AHEAD', path });
    expect(readFileSync(path, 'utf8')).toBe('one\nt');
    rmSync(path);
    const gone = await failureOf(sink.open(openContext()));
    await sink.close(gone);
    expect(gone.message).toContain('is gone');
  });

  test('goes by the last whole line of its ledger, wherever that is torn or spoiled', async () => {
    const folder = testFolder();
    const path = join(folder, 'out');
    const ledger = join(folder, '.out.ledger');
    const sink = new FileSink(path);
    await sink.open(openContext());
    for (let write = 1; write <= 4; write += 1)
      await sink.write([`item ${write}`], writeContext({ lane: write }));
    await sink.close(new Error('the run failed'));
    const whole = readFileSync(ledger);
    const content = readFileSync(path);
    const spoil = async (bytes: Uint8Array): Promise<number> => {
      writeFileSync(ledger, bytes);
      writeFileSync(path, content);
      await sink.open(openContext());
      const position = (sink.positions().get('lane') ?? 0) as number;
      await sink.close();
      const kept = [1, 2, 3, 4].slice(0, position).map((write) => `item ${write}\n`);
      expect(readFileSync(path, 'utf8')).toBe(kept.join(''));
      return position;
    };
    // The first line is the beginning, the second announces the file.
    const first = whole.indexOf(10) + 1;
    const second = whole.indexOf(10, first) + 1;
    const seen = new Set<number>();
    for (let length = second; length <= whole.length; length += 1)
      seen.add(await spoil(whole.subarray(0, length)));
    expect([...seen]).toEqual([0, 1, 2, 3, 4]);
    // Another number, and as good a line as the one before: only its checksum tells.
    const digit = whole.lastIndexOf('4');
    const other = Buffer.from(whole);
    other[digit] = '9'.charCodeAt(0);
    expect(await spoil(other)).toBe(3);
    for (const bytes of [whole.subarray(0, first - 1), Buffer.alloc(0)]) {
      writeFileSync(ledger, bytes);
      const failure = await failureOf(sink.open(openContext()));
      await sink.close(failure);
      expect(failure).toMatchObject({ code: 'SW_FILE_LEDGER_DAMAGED', path: ledger });
    }
  });

  test('writes a new ledger now and then, which holds all that the old one did', async () => {
    const folder = testFolder();
    const client = faultyLayer();
    const sink = new FileSink('{to}', { root: folder, client, format: 'ndjson', fsync: 'never' });
    const names = Array.from({ length: 40 }, (_, index) => `a rather long name of a file, number ${index}`);
    await sink.open(openContext());
    await sink.write([{ to: 'early' }], writeContext({ early: 0 }));
    for (let write = 1; write <= 200; write += 1) {
      await sink.write(
        names.map((to) => ({ to })),
        writeContext({ [`lane ${write % 7}`]: write }),
      );
    }
    const before = client.calls['rename'] ?? 0;
    expect(before).toBeGreaterThan(1);
    await sink.close();
    await sink.open(openContext());
    expect(new Set(sink.positions().values())).toEqual(new Set([0, 194, 195, 196, 197, 198, 199, 200]));
    await sink.close();
    // What was not written to for long is known as well: it is cut back like the others.
    appendFileSync(join(folder, 'early'), 'torn');
    await sink.open(openContext());
    await sink.close();
    const { early, ...others } = contentOf(folder);
    expect(early).toBe('{"to":"early"}\n');
    expect(Object.values(others).map((text) => text.split('\n').length)).toEqual(names.map(() => 201));
  });

  test('writes the header of a CSV once, also across runs, and keeps its columns', async () => {
    const folder = testFolder();
    const path = join(folder, 'out.csv');
    const open = () => new FileSink<{ a: number; b?: number }>(path, { format: 'csv' });
    await writeOnce(open(), [[{ a: 1, b: 2 }], [{ b: 4, a: 3 }]]);
    await writeOnce(open(), [[{ b: 6, a: 5 }]], 2);
    expect(readFileSync(path, 'utf8')).toBe('a,b\n1,2\n3,4\n5,6\n');
    const sink = open();
    await sink.open(openContext());
    const bad = { c: 1 } as never;
    const failure = await failureOf(
      (async () => sink.write([{ a: 7 }, bad, { a: 8 }, bad], writeContext({ lane: 4 })))(),
    );
    expect(failure).toMatchObject({ code: 'SW_FORMAT_INVALID_ITEM', failed: [1, 3], retryable: false });
    await sink.write([{ a: 7 }, { a: 8 }], writeContext({ lane: 4 }));
    await sink.close();
    expect(readFileSync(path, 'utf8')).toBe('a,b\n1,2\n3,4\n5,6\n7,\n8,\n');
  });

  test('refuses a position that could not be given back, before anything is written', async () => {
    const folder = testFolder();
    const sink = new FileSink(join(folder, 'out'));
    await sink.open(openContext());
    const failure = await failureOf((async () => sink.write(['x'], writeContext({ a: () => 1 })))());
    expect(failure.code).toBe('SW_POSITION_UNSTORABLE');
    await sink.write(['y'], writeContext({ a: new Date(5) }));
    await sink.close();
    expect(contentOf(folder)).toEqual({ out: 'y\n' });
    await sink.open(openContext());
    expect(sink.positions().get('a')).toEqual(new Date(5));
    await sink.close();
  });

  test('leaves an empty file where nothing was written: a valid one where it is gzip, and goes on behind it', async () => {
    const folder = testFolder();
    await writeOnce(new FileSink(join(folder, 'a')), []);
    await writeOnce(new FileSink(join(folder, 'b.gz')), []);
    await writeOnce(new FileSink((item: string) => item, { root: folder }), []);
    expect(gunzipSync(readFileSync(join(folder, 'b.gz'))).toString()).toBe('');
    await writeOnce(new FileSink(join(folder, 'a')), [['x']]);
    await writeOnce(new FileSink(join(folder, 'b.gz')), [['x']]);
    expect(contentOf(folder)).toEqual({ a: 'x\n', 'b.gz': 'x\n' });
  });

  test('is one run’s: another checkpoint, or a sink without one, does not touch its files', async () => {
    const folder = testFolder();
    const path = join(folder, 'out');
    await writeOnce(new FileSink(path), [['one']]);
    for (const context of [openContext('other'), undefined]) {
      const sink = new FileSink(path);
      const failure = await failureOf(sink.open(context));
      await sink.close(failure);
      expect(failure.code).toBe('SW_FILE_OCCUPIED');
      expect(failure.message).toContain("'run'");
    }
    expect(contentOf(folder)).toEqual({ out: 'one\n' });
    expect(existsSync(join(folder, '.out.lock'))).toBe(false);
  });

  test('leaves no claim on a place where its run ended before it knew of anything', async () => {
    const folder = testFolder();
    const path = join(folder, 'out');
    const sink = new FileSink(path);
    await sink.open(openContext('one'));
    await sink.close(new Error('the source has no positions'));
    // As after the advice to leave the checkpoint out; and as under another name.
    const plain = new FileSink(path);
    await plain.open();
    await plain.close(new Error('not now'));
    await writeOnce(new FileSink(path), [['line']]);
    expect(contentOf(folder)).toEqual({ out: 'line\n' });
  });

  test('goes on where a write failed: it is cut back, and may be repeated with the same positions', async () => {
    for (const [name, errno, code] of [
      ['out', 'ENOSPC', 'SW_FILE_NO_SPACE'],
      ['out.gz', 'EFBIG', 'SW_FILE_TOO_LARGE'],
      ['out', 'EIO', 'SW_FILE_WRITE_FAILED'],
    ] as const) {
      for (const failing of [name, '.ledger']) {
        const folder = testFolder();
        let isFailing = false;
        let fired = 0;
        const client = faultyLayer({
          write: async (path, length, position) => {
            if (!isFailing || !nameOf(path).endsWith(failing)) return undefined;
            fired += 1;
            if (fired === 1) return Math.ceil(length / 2);
            // What a short write has left would be read as an item.
            expect(position).toBeGreaterThan(0);
            throw systemError(errno);
          },
        });
        const sink = new FileSink(join(folder, name), { client });
        await sink.open(openContext());
        await sink.write(['one'], writeContext({ lane: 1 }));
        const size = readFileSync(join(folder, name)).length;
        isFailing = true;
        expect((await failureOf((async () => sink.write(['two'], writeContext({ lane: 2 })))())).code).toBe(
          code,
        );
        expect(fired).toBe(2);
        expect(readFileSync(join(folder, name))).toHaveLength(size);
        isFailing = false;
        await sink.write(['two'], writeContext({ lane: 2 }, 2));
        await sink.close();
        expect(contentOf(folder)).toEqual({ [name]: 'one\ntwo\n' });
        await sink.open(openContext());
        expect(sink.positions().get('lane')).toBe(2);
        await sink.close();
      }
    }
  });

  test('[fault 45] fails for good where a sync failed, and the next run goes on from the ledger', async () => {
    for (const failing of ['out', '.out.ledger']) {
      const folder = testFolder();
      let isFailing = false;
      let fired = 0;
      const client = faultyLayer({
        datasync: async (path) => {
          if (!isFailing || nameOf(path) !== failing) return;
          fired += 1;
          throw systemError('EIO');
        },
      });
      const sink = new FileSink(join(folder, 'out'), { client });
      await sink.open(openContext());
      await sink.write(['one'], writeContext({ lane: 1 }));
      isFailing = true;
      const write = async () => sink.write(['two'], writeContext({ lane: 2 }));
      const failure = await failureOf(write());
      expect(failure).toMatchObject({ code: 'SW_FILE_SYNC_FAILED', cause: { code: 'EIO' } });
      expect(await failureOf(write())).toBe(failure);
      expect(await failureOf(sink.flush())).toBe(failure);
      await sink.close(failure);
      expect(fired).toBe(1);
      const again = new FileSink(join(folder, 'out'));
      await again.open(openContext());
      const position = again.positions().get('lane') as number;
      expect(contentOf(folder)).toEqual({ out: position === 2 ? 'one\ntwo\n' : 'one\n' });
      await again.close();
    }
  });

  test('[fault 45] asks no sync again that failed, whichever way it writes', async () => {
    for (const [options, context] of [
      [{ fsync: 'close' }, openContext()],
      [{ fsync: 'batch' }, undefined],
      [{ fsync: 'batch', append: true }, undefined],
      [{ fsync: 'close', append: true }, undefined],
    ] as const) {
      const folder = testFolder();
      let isFailing = false;
      let fired = 0;
      const client = faultyLayer({
        datasync: async () => {
          if (!isFailing) return;
          fired += 1;
          throw systemError('EIO');
        },
      });
      const sink = new FileSink(join(folder, 'out'), { ...options, client });
      await sink.open(context);
      await sink.write(['one'], writeContext({ lane: 1 }));
      isFailing = true;
      const attempt = async (): Promise<void> => {
        await sink.write(['two'], writeContext({ lane: 2 }));
        await sink.flush();
      };
      const failure = await failureOf(attempt());
      expect(failure.code).toBe('SW_FILE_SYNC_FAILED');
      isFailing = false;
      expect(await failureOf(attempt())).toBe(failure);
      expect(await failureOf(sink.flush())).toBe(failure);
      expect(await failureOf(sink.close())).toBe(failure);
      expect(fired).toBe(1);
    }
  });

  test('syncs data, then names, then the ledger, before a write returns; without, not at all', async () => {
    const order: string[] = [];
    const folder = testFolder();
    const client = faultyLayer({
      write: (path) => void order.push(`write ${nameOf(path)}`),
      datasync: (path) => void order.push(`sync ${nameOf(path)}`),
      sync: (path) => void order.push(`sync ${path === folder ? 'folder' : nameOf(path)}`),
    });
    const sink = new FileSink(join(folder, 'out'), { client });
    await sink.open(openContext());
    order.length = 0;
    await sink.write(['one'], writeContext({ lane: 1 }));
    expect(order).toEqual([
      'write .out.ledger',
      'sync .out.ledger',
      'write out',
      'sync out',
      'sync folder',
      'write .out.ledger',
      'sync .out.ledger',
    ]);
    order.length = 0;
    await sink.write(['two'], writeContext({ lane: 2 }));
    expect(order).toEqual(['write out', 'sync out', 'write .out.ledger', 'sync .out.ledger']);
    await sink.close();
    for (const fsync of ['close', 'never'] as const) {
      const other = new FileSink(join(folder, 'out'), { client, fsync });
      await other.open(openContext());
      order.length = 0;
      await other.write(['three'], writeContext({ lane: 3 }));
      expect(order).toEqual(['write out', 'write .out.ledger']);
      order.length = 0;
      await other.flush();
      await other.close();
      expect(order).toEqual(fsync === 'close' ? ['sync out', 'sync .out.ledger'] : []);
    }
  });
});
