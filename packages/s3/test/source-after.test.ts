import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DeleteObjectCommand, GetObjectTaggingCommand, HeadObjectCommand } from '@aws-sdk/client-s3';
import { ConcurrentPipeline, from, MemoryCheckpointStore } from '@streamweld/core';
import { FileSink } from '@streamweld/file';
import { expect, it, vi } from 'vitest';
import { S3Source } from '../src/source.ts';
import type { DoneObject, S3SourceOptions } from '../src/source-options.ts';
import { useReadings } from './reading.ts';
import { describeWithS3 } from './service.ts';

describeWithS3('What becomes of objects that are read', (buckets) => {
  const reading = useReadings();
  const seed = async (count: number): Promise<string> => {
    const prefix = `${randomUUID()}/`;
    for (let at = 0; at < count; at += 1) await buckets().put(`${prefix}${at}`, `a${at}\nb${at}\n`);
    return prefix;
  };
  const source = (prefix: string, more: Partial<S3SourceOptions>): S3Source<string> =>
    new S3Source({ ...buckets().reach, bucket: buckets().bucket, prefix, ...more });

  it('leaves them without after, and has no commit then', async () => {
    expect(source('', {}).commit).toBeUndefined();
  });

  it('deletes an object when all of it is committed, and not before', async () => {
    const prefix = await seed(3);
    const run = await reading(source(prefix, { after: 'delete' }));
    while (run.items.length < 5) await run.pull(1);
    const inTheLast = new Map(run.positions);
    const [middle] = run.answers.filter(({ position }) => position.key === `${prefix}1`);
    await run.source.commit?.(new Map([[middle?.lane as string, middle?.position as never]]));
    expect(await buckets().keys(prefix)).toEqual([`${prefix}1`, `${prefix}2`]);
    await run.source.commit?.(inTheLast);
    expect(await buckets().keys(prefix)).toEqual([`${prefix}2`]);
    await run.readAll();
    run.source.stop();
    await run.source.commit?.(run.positions);
    await run.source.commit?.(run.positions);
    expect(await buckets().keys(prefix)).toEqual([]);
  });

  it('deletes very many', async () => {
    const prefix = `${randomUUID()}/`;
    const names = Array.from({ length: 300 }, (_, n) => n);
    for (let at = 0; at < 300; at += 30)
      await Promise.all(names.slice(at, at + 30).map((n) => buckets().put(`${prefix}${n}`, `${n}\n`)));
    const run = await reading(source(prefix, { after: 'delete' }));
    await run.readAll();
    await run.source.commit?.(run.positions);
    expect(await buckets().keys(prefix)).toEqual([]);
  });

  it('leaves what has come under the same key since', async () => {
    const prefix = await seed(2);
    const run = await reading(source(prefix, { after: 'delete' }));
    await run.readAll();
    await buckets().put(`${prefix}0`, 'another');
    await run.source.commit?.(run.positions);
    expect(await buckets().keys(prefix)).toEqual([`${prefix}0`]);
  });

  it('tags it', async () => {
    const prefix = await seed(1);
    const run = await reading(source(prefix, { after: { tags: { read: 'yes' } } }));
    await run.readAll();
    await run.source.commit?.(run.positions);
    const { bare, bucket } = buckets();
    const { TagSet } = await bare.send(new GetObjectTaggingCommand({ Bucket: bucket, Key: `${prefix}0` }));
    expect(TagSet).toEqual([{ Key: 'read', Value: 'yes' }]);
  });

  it('tells a function, once for each, and again where it failed', async () => {
    const prefix = await seed(2);
    const told: DoneObject[] = [];
    let failures = 1;
    const after = (object: DoneObject): void => {
      if (failures-- > 0) throw new Error('not now');
      told.push(object);
    };
    const run = await reading(source(prefix, { after, order: 'ready' }));
    await run.readAll();
    await expect(run.source.commit?.(run.positions)).rejects.toThrow('not now');
    await run.source.commit?.(run.positions);
    await run.source.commit?.(run.positions);
    expect(new Set(told.map(({ key }) => key))).toEqual(new Set([`${prefix}0`, `${prefix}1`]));
    expect(told[0]).toEqual({
      bucket: buckets().bucket,
      key: told[0]?.key,
      etag: expect.stringMatching(/^".+"$/),
    });
  });

  it.each(['listed', 'ready'] as const)(
    'sees to what an earlier run had committed, and was killed over (%s)',
    async (order) => {
      const prefix = await seed(1);
      const killed = await reading(source(prefix, { after: 'delete', order }));
      await killed.readAll();
      const next = await reading(source(prefix, { after: 'delete', order }), killed.positions);
      expect(await next.readAll()).toEqual([]);
      await next.source.commit?.(next.positions);
      expect(await buckets().keys(prefix)).toEqual([]);
    },
  );

  it.each(['listed', 'ready'] as const)(
    'counts an object as read that is gone where a run goes on, if it is us who delete (%s)',
    async (order) => {
      const prefix = await seed(2);
      const first = await reading(source(prefix, { after: 'delete', order, readAhead: { maxObjects: 1 } }));
      await first.pull(1);
      const { bare, bucket } = buckets();
      await bare.send(new DeleteObjectCommand({ Bucket: bucket, Key: `${prefix}0` }));
      const next = await reading(source(prefix, { after: 'delete', order }), first.positions);
      expect(await next.readAll()).toEqual(['a1', 'b1']);
      expect(next.positions.get(first.answers[0]?.lane as string)?.done).toBe(true);
      await next.source.commit?.(next.positions);
      expect(await buckets().keys(prefix)).toEqual([]);
      // What is no answer of a store says nothing.
      const { throughFaults, faults } = buckets();
      faults.plan({ on: 'GetObject', fault: { kind: 'error', status: 404, code: 'Not Found' } });
      const lost = new S3Source({ ...throughFaults, bucket, prefix, order, after: 'delete' });
      const unsure = await reading(lost, first.positions);
      await expect(unsure.readAll()).rejects.toMatchObject({ code: 'SW_S3_OBJECT_MISSING' });
      // Whoever does something else with them is told.
      const other = await reading(source(prefix, { after: () => {}, order }), first.positions);
      await expect(other.readAll()).rejects.toMatchObject({ code: 'SW_S3_OBJECT_MISSING' });
    },
  );

  it('deletes an object of which the end was left out, and looks for it in vain where the sink keeps positions', async () => {
    const prefix = `${randomUUID()}/`;
    const lines = Array.from({ length: 3000 }, (_, n) => `${n < 1000 ? 'kept' : 'left out'} ${n}`);
    for (const at of [0, 1]) await buckets().put(`${prefix}${at}`, lines.join('\n'));
    const folder = mkdtempSync(join(tmpdir(), 'streamweld-s3-after-'));
    const run = (keys: AsyncIterable<string>): Promise<unknown> => {
      const { reach, bucket } = buckets();
      const read = from(new S3Source({ ...reach, bucket, keys, after: 'delete' }));
      const sink = new FileSink(join(folder, 'out'));
      return new ConcurrentPipeline(
        read.filter((line) => line.startsWith('kept')),
        sink,
      )
        .bufferSize(400)
        .commitEvery({ items: 1 })
        .checkpoint(new MemoryCheckpointStore(), 'one')
        .run();
    };
    const isDeleted = async (): Promise<boolean> => (await buckets().keys(prefix)).length === 0;
    async function* broken(): AsyncGenerator<string> {
      yield* [`${prefix}0`, `${prefix}1`];
      await vi.waitUntil(isDeleted, 10_000);
      throw new Error('the queue broke');
    }
    async function* nothing(): AsyncGenerator<string> {}
    await expect(run(broken())).rejects.toMatchObject({ cause: { message: 'the queue broke' } });
    await run(nothing());
    expect(readFileSync(join(folder, 'out'), 'utf8').trimEnd().split('\n')).toHaveLength(2000);
    rmSync(folder, { recursive: true });
  });

  it.each([undefined, 'given'])(
    'tells again of a key that comes again in the same run, when its object is done (etag %s)',
    async (etag) => {
      const prefix = await seed(1);
      const { bare, bucket, reach } = buckets();
      const key = `${prefix}0`;
      const { ETag } = await bare.send(new HeadObjectCommand({ Bucket: bucket, Key: key }));
      const told: string[] = [];
      async function* notices(): AsyncGenerator<{ readonly key: string; readonly etag: string | undefined }> {
        for (let time = 0; time < 2; time += 1) {
          yield { key, etag: etag && ETag };
          await vi.waitUntil(() => told.length > time, 10_000);
        }
      }
      const after = (object: DoneObject): void => void told.push(object.key);
      const read: string[] = [];
      await new ConcurrentPipeline(new S3Source({ ...reach, bucket, keys: notices(), after }), (lines) => {
        read.push(...lines);
      })
        .commitEvery({ items: 1 })
        .run();
      expect(read).toEqual(['a0', 'b0']);
      expect(told).toEqual([key, key]);
    },
  );

  it('takes a notice that comes again for one of an object that is read, where it is gone because we deleted it', async () => {
    const prefix = await seed(1);
    const { bucket, reach } = buckets();
    const key = `${prefix}0`;
    const store = new MemoryCheckpointStore();
    const read: string[] = [];
    const run = (notices: AsyncIterable<string>): Promise<unknown> =>
      new ConcurrentPipeline(
        new S3Source({ ...reach, bucket, keys: notices, after: 'delete' }),
        (lines) => void read.push(...lines),
      )
        .commitEvery({ items: 1 })
        .checkpoint(store, 'queue')
        .run();
    async function* twice(): AsyncGenerator<string> {
      yield key;
      await vi.waitUntil(async () => (await buckets().keys(prefix)).length === 0, 10_000);
      yield key;
    }
    async function* once(name: string): AsyncGenerator<string> {
      yield name;
    }
    await run(twice());
    await run(once(key));
    expect(read).toEqual(['a0', 'b0']);
    await expect(run(once(`${prefix}1`))).rejects.toMatchObject({ code: 'SW_S3_OBJECT_MISSING' });
  });

  it('tells again of a key that comes again with nothing new in it', async () => {
    const prefix = await seed(1);
    const told: string[] = [];
    const after = ({ key }: DoneObject): void => void told.push(key);
    async function* notices(): AsyncGenerator<string> {
      yield `${prefix}0`;
    }
    const options = { ...buckets().reach, bucket: buckets().bucket, after };
    const first = await reading(new S3Source({ ...options, keys: notices() }));
    expect(await first.readAll()).toEqual(['a0', 'b0']);
    const second = await reading(new S3Source({ ...options, keys: notices() }), first.positions);
    expect(await second.readAll()).toEqual([]);
    await second.source.commit?.(second.positions);
    expect(told).toEqual([`${prefix}0`]);
  });
});
