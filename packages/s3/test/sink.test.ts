import { gunzipSync } from 'node:zlib';
import { HeadObjectCommand } from '@aws-sdk/client-s3';
import { ConcurrentPipeline, range } from '@streamweld/core';
import { expect, it } from 'vitest';
import { S3Sink } from '../src/sink.ts';
import type { S3SinkOptions } from '../src/sink-options.ts';
import { describeWithS3 } from './service.ts';
import { Driven, type Item, items, objectKeys, readItems, readLedger } from './writing.ts';

/** A line of about a kilobyte. */
const WIDE = 'x'.repeat(1000);

describeWithS3('S3Sink', (buckets) => {
  let places = 0;
  /** A folder of its own, with the ledger in it. */
  const place = (): string => `place-${places++}/`;
  const sinkOf = (prefix: string, more: Partial<S3SinkOptions<Item>> = {}): S3Sink<Item> =>
    new S3Sink<Item>({
      ...buckets().reach,
      bucket: buckets().bucket,
      key: `${prefix}{sequence}.ndjson`,
      format: 'ndjson',
      ledger: `${prefix}ledger.json`,
      ...more,
    } as S3SinkOptions<Item> & { format: 'ndjson' });
  const open = (prefix: string, more?: Partial<S3SinkOptions<Item>>): Promise<Driven> =>
    new Driven(sinkOf(prefix, more)).open();

  it('writes what a run gives it', async () => {
    const prefix = place();
    await new ConcurrentPipeline(
      range(0, 5000),
      new S3Sink<number>({
        ...buckets().reach,
        bucket: buckets().bucket,
        key: `${prefix}{sequence}.ndjson`,
        format: 'ndjson',
        ledger: `${prefix}ledger.json`,
      }),
    ).run();
    expect(await objectKeys(buckets(), prefix)).toEqual([`${prefix}0000000001.ndjson`]);
    const text = String(await buckets().read(`${prefix}0000000001.ndjson`));
    expect(text).toBe(Array.from({ length: 5000 }, (_, n) => `${n}\n`).join(''));
  });

  it('shows nothing of an object before all of it is there, and says so by durable', async () => {
    const prefix = place();
    const driven = await open(prefix, { partBytes: 5 << 20, maxOpen: 1 });
    let isDurable = false;
    const wide = Array.from({ length: 7000 }, (_, id) => ({ id, text: WIDE }));
    const answer = await driven.write(wide);
    void answer?.durable.then(() => {
      isDurable = true;
    });
    for (let n = 1; n < 5; n += 1) await driven.write(wide);
    expect(await objectKeys(buckets(), prefix)).toEqual([]);
    // 35 MB, of which it holds 25 at most: parts are there.
    const first = `${prefix}0000000001.ndjson`;
    expect(await buckets().uploads(first)).toEqual([first]);
    expect(isDurable).toBe(false);
    await driven.flush();
    expect(isDurable).toBe(true);
    expect(await readItems(buckets(), prefix)).toEqual([...wide, ...wide, ...wide, ...wide, ...wide]);
    expect(await buckets().uploads(first)).toEqual([]);
    await driven.close();
  });

  it('rolls by the number of items, and numbers on across restarts', async () => {
    const prefix = place();
    for (let run = 0; run < 2; run += 1) {
      const driven = await open(prefix, { roll: { maxItems: 10 } });
      await driven.write(items(run * 25, run * 25 + 25));
      await driven.flush();
      await driven.close();
    }
    expect(await objectKeys(buckets(), prefix)).toEqual(
      [1, 2, 3, 4, 5, 6].map((n) => `${prefix}000000000${n}.ndjson`),
    );
    expect(await readItems(buckets(), prefix)).toEqual(items(0, 50));
  });

  it('gives no number twice after it was killed', async () => {
    const prefix = place();
    const killed = await open(prefix, { roll: { maxItems: 10 } });
    const answer = await killed.write(items(0, 10));
    await answer?.durable;
    // Whoever is killed tells its ledger nothing.
    const driven = await open(prefix, { roll: { maxItems: 10 } });
    await driven.write(items(10, 20));
    await driven.flush();
    await driven.close();
    expect(await readItems(buckets(), prefix)).toEqual(items(0, 20));
    await killed.abort();
  });

  it('rolls by bytes, about', async () => {
    const prefix = place();
    const driven = await open(prefix, { roll: { maxBytes: 100_000 } });
    for (let n = 0; n < 10; n += 1)
      await driven.write(Array.from({ length: 100 }, (_, id) => ({ id: n * 100 + id, text: WIDE })));
    await driven.flush();
    await driven.close();
    const keys = await objectKeys(buckets(), prefix);
    const sizes = await Promise.all(keys.map(async (key) => (await buckets().read(key)).length));
    expect(sizes.length).toBeGreaterThan(8);
    for (const size of sizes.slice(0, -1)) expect(Math.abs(size - 100_000)).toBeLessThan(20_000);
  });

  it('compresses by the name, and what it stores says so', async () => {
    const prefix = place();
    const driven = await open(prefix, {
      key: `${prefix}{sequence}.ndjson.gz`,
      metadata: { origin: 'a test' },
    });
    await driven.write(items(0, 1000));
    await driven.flush();
    await driven.close();
    const [key] = (await objectKeys(buckets(), prefix)) as [string];
    expect(String(gunzipSync(await buckets().read(key))).split('\n').length).toBe(1001);
    const head = await buckets().bare.send(new HeadObjectCommand({ Bucket: buckets().bucket, Key: key }));
    expect(head.ContentType).toBe('application/x-ndjson');
    expect(head.Metadata).toMatchObject({ origin: 'a test', 'streamweld-object': expect.any(String) });
  });

  it('rolls what is compressed by its bytes in the store', async () => {
    const prefix = place();
    const driven = await open(prefix, {
      key: `${prefix}{sequence}.gz`,
      level: 0,
      roll: { maxBytes: 300_000 },
    });
    for (let n = 0; n < 10; n += 1)
      await driven.write(Array.from({ length: 100 }, (_, id) => ({ id: n * 100 + id, text: WIDE })));
    await driven.flush();
    await driven.close();
    expect((await objectKeys(buckets(), prefix)).length).toBeGreaterThan(2);
    expect(await readItems(buckets(), prefix)).toHaveLength(1000);
  });

  it('has at most maxOpen objects open, and completes the one that was left alone for longest', async () => {
    const prefix = place();
    const driven = await open(prefix, {
      key: `${prefix}{by}/{sequence}.ndjson`,
      by: ({ id }) => `of-${id % 5}`,
      maxOpen: 3,
    });
    const first = await driven.write([{ id: 0 }]);
    await driven.write([{ id: 1 }]);
    await driven.write([{ id: 5 }]);
    await driven.write([{ id: 2 }]);
    expect(await objectKeys(buckets(), prefix)).toEqual([]);
    // 1 was left alone for longest: 0 was written to again, as 5.
    await driven.write([{ id: 3 }]);
    expect(await objectKeys(buckets(), prefix)).toEqual([`${prefix}of-1/0000000002.ndjson`]);
    await driven.write(items(10, 30));
    await driven.flush();
    await first?.durable;
    await driven.close();
    const found = (await readItems(buckets(), prefix)).map(({ id }) => id).toSorted((a, b) => a - b);
    expect(found).toEqual([0, 1, 2, 3, 5, ...items(10, 30).map(({ id }) => id)]);
  });

  it('isolates items that cannot be encoded, and writes nothing of the batch', async () => {
    const prefix = place();
    const driven = await open(prefix);
    const bad = { id: 1n } as unknown as Item;
    await expect(driven.write([{ id: 0 }, bad, { id: 2 }, bad])).rejects.toMatchObject({
      code: 'SW_FORMAT_INVALID_ITEM',
      retryable: false,
      failed: [1, 3],
    });
    await driven.write([{ id: 0 }, { id: 2 }], { attempt: 2 });
    await driven.flush();
    await driven.close();
    expect(await readItems(buckets(), prefix)).toEqual([{ id: 0 }, { id: 2 }]);
    expect(driven.failures).toEqual([]);
  });

  it('isolates items of which no key can be made', async () => {
    const prefix = place();
    const driven = await open(prefix, {
      key: `${prefix}{by}/{sequence}.ndjson`,
      by: ({ text = '' }) => text,
    });
    const batch = [
      { id: 0 },
      { id: 1, text: WIDE.repeat(2) },
      { id: 2, text: undefined as unknown as string },
    ];
    await expect(driven.write(batch)).rejects.toMatchObject({ code: 'SW_S3_KEY_INVALID', failed: [1] });
    await driven.abort();
  });

  it('refuses to write over what is there', async () => {
    const prefix = place();
    await buckets().put(`${prefix}0000000001.ndjson`, 'of another\n');
    const driven = await open(prefix);
    const answer = await driven.write(items(0, 3));
    await expect(driven.flush()).rejects.toMatchObject({ code: 'SW_S3_OBJECT_EXISTS' });
    await expect(answer?.durable).rejects.toMatchObject({ code: 'SW_S3_OBJECT_EXISTS' });
    expect(driven.failures).toMatchObject([{ code: 'SW_S3_OBJECT_EXISTS' }]);
    await driven.abort();
    expect(String(await buckets().read(`${prefix}0000000001.ndjson`))).toBe('of another\n');
  });

  it('fences the one before, when a second one opens its ledger', async () => {
    const prefix = place();
    const first = await open(prefix, { roll: { maxItems: 1 } });
    const second = await open(prefix, { roll: { maxItems: 1 } });
    await second.write(items(0, 1));
    await first.write(items(0, 1)).catch(() => {});
    await expect(first.flush()).rejects.toMatchObject({ code: 'SW_CHECKPOINT_FENCED' });
    await first.abort();
    await second.flush();
    await second.close();
    expect((await readLedger(buckets(), `${prefix}ledger.json`)).next).toBe(2);
  });
});
