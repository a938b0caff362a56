/** Large objects that arrive damaged: that is known when items of them are written, and no run goes on from there. */

import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { ConcurrentPipeline, MemoryCheckpointStore } from '@streamweld/core';
import { FileSink } from '@streamweld/file';
import { afterEach, expect, it } from 'vitest';
import { S3Source } from '../src/source.ts';
import { useReadings } from './reading.ts';
import { describeWithS3 } from './service.ts';

describeWithS3('S3Source, of a large object that arrives damaged', (buckets) => {
  const reading = useReadings();
  const folders: string[] = [];
  afterEach(() => {
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
  });

  /** Lines that gzip makes nothing of. */
  const TEXT = Array.from({ length: 60_000 }, () => `${randomBytes(24).toString('base64')}\n`).join('');
  const put = async (ending = ''): Promise<string> => {
    const prefix = `${randomUUID()}/`;
    await buckets().put(`${prefix}a${ending}`, ending === '' ? TEXT : gzipSync(TEXT));
    return prefix;
  };
  const flip = (at: number): void => {
    buckets().faults.plan({ on: 'GetObject', fault: { kind: 'flipByte', at } });
  };
  const source = (prefix: string, order: 'listed' | 'ready' = 'listed'): S3Source<string> =>
    new S3Source({ ...buckets().throughFaults, bucket: buckets().bucket, prefix, order });

  it.each([
    ['listed', ''],
    ['ready', ''],
    ['listed', '.gz'],
  ] as const)(
    'tells it with the last items, fails, and is not gone on with (%s, a%s)',
    async (order, ending) => {
      const prefix = await put(ending);
      flip(500_000);
      const run = await reading(source(prefix, order));
      await expect(run.readAll()).rejects.toMatchObject({
        // Gunzip may see it, too, and sooner.
        code: expect.stringMatching(ending === '' ? /^SW_S3_OBJECT_CORRUPT$/ : /_CORRUPT$|_GZIP_INVALID$/),
      });
      const withItems = run.answers.filter(({ items }) => items.length > 0);
      expect(withItems.length).toBeGreaterThan(2);
      expect(withItems[0]?.position.damaged).toBeUndefined();
      expect(withItems.at(-1)?.position).toMatchObject({ key: `${prefix}a${ending}`, damaged: true });
      expect(withItems.at(-1)?.position.done).toBeUndefined();
      await expect(reading(source(prefix, order), run.positions)).rejects.toMatchObject({
        code: 'SW_S3_OBJECT_CORRUPT',
        message: expect.stringContaining('begin anew, with a checkpoint of another name'),
      });
    },
  );

  it('is not begun again by a run with a checkpoint, whose sink is a function', async () => {
    const prefix = await put();
    const store = new MemoryCheckpointStore();
    let written = 0;
    const run = (name: string): Promise<unknown> =>
      new ConcurrentPipeline(source(prefix), (lines: readonly string[]) => {
        written += lines.length;
      })
        .commitEvery({ items: 1000 })
        .checkpoint(store, name)
        .run();
    flip(500_000);
    for (const _ of [1, 2, 3])
      await expect(run('one')).rejects.toMatchObject({ code: 'SW_S3_OBJECT_CORRUPT' });
    // All that came was written, and nothing since.
    expect(written).toBeGreaterThan(59_990);
    expect(written).toBeLessThan(60_010);
    written = 0;
    await run('another');
    expect(written).toBe(60_000);
  });

  it('nor by one whose sink keeps the positions', async () => {
    const prefix = await put();
    const store = new MemoryCheckpointStore();
    const folder = mkdtempSync(join(tmpdir(), 'streamweld-s3-damaged-'));
    folders.push(folder);
    const run = (): Promise<unknown> =>
      new ConcurrentPipeline(source(prefix), new FileSink(join(folder, 'out')))
        .checkpoint(store, 'one')
        .run();
    flip(500_000);
    for (const _ of [1, 2]) await expect(run()).rejects.toMatchObject({ code: 'SW_S3_OBJECT_CORRUPT' });
  });

  it('is gone on with where it arrived as it was stored', async () => {
    const prefix = await put();
    const run = await reading(source(prefix));
    while (run.items.length < 30_000) await run.pull();
    const next = await reading(source(prefix), run.positions);
    expect([...run.items, ...(await next.readAll())].join('\n')).toBe(TEXT.trimEnd());
  });

  it('does not wait for a sink that never has it durable once the source is closed', async () => {
    const prefix = await put();
    flip(500_000);
    const run = await reading(source(prefix), undefined, () => new Promise(() => {}));
    while (run.answers.at(-1)?.items.length !== 0) await run.pull();
    const outstanding = run.pull();
    await run.close();
    expect(await outstanding).toBeUndefined();
  });
});
