/** FAULTS.md rows 43, 44, 47, 48 and 95, for a sink that keeps its positions beside its files. */

import { execFile } from 'node:child_process';
import { constants, promises, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ConcurrentPipeline, MemoryCheckpointStore } from '@streamweld/core';
import { FileSink, FileSource } from '@streamweld/file';
import { describe, expect, test } from 'vitest';
import { failureOf, testFolder, until } from './driving.ts';
import { faultyLayer, systemError } from './file-layer.ts';
import { contentOf, openContext, writeContext } from './sink-driving.ts';

const onLinux = test.skipIf(process.platform !== 'linux');
const LINES = Array.from({ length: 2000 }, (_, index) => `line ${index} ${'x'.repeat(index % 40)}`);
const TEXT = LINES.map((line) => `${line}\n`).join('');

describe('FileSink with a checkpoint, and faults', () => {
  onLinux(
    '[fault 43] takes nothing where the disk is full, and all of it where there is room again',
    async () => {
      const folder = testFolder();
      let isFull = false;
      let fired = 0;
      const client = faultyLayer({
        open: (path, flags) => {
          if (!isFull || flags !== 'r+' || !path.endsWith('b')) return undefined;
          fired += 1;
          return promises.open('/dev/full', constants.O_RDWR);
        },
      });
      const sink = new FileSink('{to}', { root: folder, client, maxOpen: 1, format: 'ndjson' });
      await sink.open(openContext());
      const batch = [{ to: 'a' }, { to: 'b' }];
      await sink.write(batch, writeContext({ lane: 1 }));
      isFull = true;
      const failure = await failureOf((async () => sink.write(batch, writeContext({ lane: 2 })))());
      expect(failure).toMatchObject({ code: 'SW_FILE_NO_SPACE', path: join(folder, 'b') });
      expect(fired).toBeGreaterThan(0);
      // What the other file had taken of it is gone too.
      expect(contentOf(folder)).toEqual({ a: '{"to":"a"}\n', b: '{"to":"b"}\n' });
      isFull = false;
      await sink.close(failure);
      const again = new FileSink('{to}', { root: folder, format: 'ndjson' });
      await again.open(openContext());
      expect(again.positions().get('lane')).toBe(1);
      await again.write(batch, writeContext({ lane: 2 }));
      await again.close();
      expect(contentOf(folder)).toEqual({ a: '{"to":"a"}\n{"to":"a"}\n', b: '{"to":"b"}\n{"to":"b"}\n' });
    },
  );

  onLinux(
    '[fault 44] is cut back to its ledger where it outgrows its limit, and goes on behind it',
    async () => {
      const folder = testFolder();
      const out = join(folder, 'out');
      const script = join(import.meta.dirname, 'children/write-once.ts');
      const run = async (
        limit: string,
      ): Promise<{ code?: string; cause?: string; from: number; to: number }> => {
        const command = `trap '' XFSZ; ulimit -f ${limit}; exec "$0" --conditions=@streamweld/source --import tsx "$1" "$2"`;
        const { stdout } = await promisify(execFile)('bash', ['-c', command, process.execPath, script, out]);
        return JSON.parse(stdout) as { code?: string; cause?: string; from: number; to: number };
      };
      const first = await run('64');
      expect(first).toMatchObject({ code: 'SW_FILE_TOO_LARGE', cause: 'EFBIG', from: 0 });
      // Of what did not fit, nothing is there: 100 lines of 100 bytes are a write.
      expect(first.to).toBe(6);
      expect(readFileSync(out)).toHaveLength(60_000);
      const second = await run('unlimited');
      expect(second).toEqual({ from: 6, to: 20 });
      expect(readFileSync(out)).toHaveLength(200_000);
    },
    60_000,
  );

  test('[fault 47] holds one write at a time where the disk is slow, and ends when that one does', async () => {
    const folder = testFolder();
    const held: (() => void)[] = [];
    let isSlow = false;
    const client = faultyLayer({
      write: async () => {
        if (isSlow) await new Promise<void>((go) => held.push(go));
        return undefined;
      },
    });
    const sink = new FileSink(join(folder, 'out'), { client });
    await sink.open(openContext());
    await sink.write(['one'], writeContext({ lane: 1 }));
    isSlow = true;
    const writing = failureOf((async () => sink.write(['two'], writeContext({ lane: 2 })))());
    await until(() => held.length === 1, 20);
    expect(held).toHaveLength(1);
    const closing = sink.close(new Error('the deadline has passed'));
    await until(() => true, 20);
    isSlow = false;
    held.shift()?.();
    await closing;
    // The data had been written; what would have counted it was not begun any more.
    expect((await writing).message).toContain('abandoned');
    expect(contentOf(folder)).toEqual({ out: 'one\n' });
    await sink.open(openContext());
    expect(sink.positions().get('lane')).toBe(1);
    await sink.close();
  });

  test('[fault 48] fails where the folder is gone or closed, and makes nothing up', async () => {
    const folder = testFolder();
    const gone = new FileSink('{to}/x', { root: folder, format: 'ndjson', maxOpen: 1 });
    await gone.open(openContext());
    await gone.write([{ to: 'a' }, { to: 'b' }], writeContext({ lane: 1 }));
    rmSync(join(folder, 'a'), { recursive: true });
    const missing = await failureOf((async () => gone.write([{ to: 'a' }], writeContext({ lane: 2 })))());
    expect(missing).toMatchObject({ code: 'SW_FILE_NOT_FOUND', path: join(folder, 'a/x') });
    await gone.close(missing);
    const ahead = await failureOf(gone.open(openContext()));
    await gone.close(ahead);
    expect(ahead.code).toBe('SW_FILE_LEDGER_AHEAD');

    for (const errno of ['EROFS', 'EACCES']) {
      let fired = 0;
      const client = faultyLayer({
        open: (path) => {
          if (!path.endsWith('.ledger.tmp')) return undefined;
          fired += 1;
          throw systemError(errno);
        },
      });
      const closed = new FileSink(join(folder, 'out'), { client });
      const denied = await failureOf(closed.open(openContext()));
      await closed.close(denied);
      expect([denied.code, fired]).toEqual(['SW_FILE_DENIED', 1]);
    }
    expect(readdirSync(folder).filter((name) => name.includes('out'))).toEqual([]);
  });

  test('is exactly once in a pipeline, whatever fails how often', async () => {
    const folder = testFolder();
    writeFileSync(join(folder, 'in'), TEXT);
    const store = new MemoryCheckpointStore();
    let operations = 0;
    let fired = 0;
    const client = faultyLayer({
      write: async (path, length) => {
        if (!path.includes('out')) return undefined;
        operations += 1;
        if (operations % 7 === 5) return Math.ceil(length / 2);
        if (operations % 7 !== 6) return undefined;
        fired += 1;
        throw systemError('ENOSPC');
      },
    });
    let runs = 0;
    for (;;) {
      runs += 1;
      const sink = new FileSink(join(folder, 'out-{sequence}.gz'), { client, roll: { maxItems: 300 } });
      const pipeline = new ConcurrentPipeline(new FileSource(join(folder, 'in')), sink);
      try {
        await pipeline.bufferSize(100).checkpoint(store, 'copy').run();
        break;
      } catch (error) {
        expect((error as { code: string }).code).toBe('SW_FILE_NO_SPACE');
      }
    }
    expect(runs).toBeGreaterThan(2);
    expect(fired).toBeGreaterThan(2);
    expect(Object.values(contentOf(folder)).slice(1).join('')).toBe(TEXT);
    expect(Object.keys(contentOf(folder))).toHaveLength(1 + 7);
  });
});
