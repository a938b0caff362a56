/** How much a source holds, how many connections it takes, and how soon it lets go of them. */

import { randomBytes, randomUUID } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { S3Client } from '@aws-sdk/client-s3';
import { ConcurrentPipeline } from '@streamweld/core';
import { Deferred } from '@streamweld/core/connector';
import { expect, it, vi } from 'vitest';
import type { S3Store } from '../src/client.ts';
import { S3Source } from '../src/source.ts';
import type { S3SourceOptions } from '../src/source-options.ts';
import { useStores } from './opened.ts';
import { useReadings } from './reading.ts';
import { describeWithS3 } from './service.ts';

const MIB = 1 << 20;

describeWithS3('What S3Source holds', (buckets) => {
  const reading = useReadings();
  const stores = useStores();
  const seed = async (objects: number, bytes: number): Promise<string> => {
    const prefix = `${randomUUID()}/`;
    const body = randomBytes(bytes);
    for (let at = 0; at < objects; at += 1) await buckets().put(`${prefix}${at}`, body);
    return prefix;
  };
  const source = (prefix: string, more: Partial<S3SourceOptions> = {}): S3Source<Uint8Array> =>
    new S3Source({ ...buckets().reach, bucket: buckets().bucket, prefix, format: 'bytes', ...more });
  const sizeOf = (items: readonly Uint8Array[]): number =>
    items.reduce((sum, { byteLength }) => sum + byteLength, 0);

  /** A store that counts what is taken of it. */
  function counted(): { store: S3Store; taken: { bytes: number; open: number; most: number } } {
    const store = stores(buckets().reach);
    const taken = { bytes: 0, open: 0, most: 0 };
    const get: S3Store['get'] = async (request, signal) => {
      const body = await store.get(request, signal);
      taken.open += 1;
      taken.most = Math.max(taken.most, taken.open);
      const chunks = (async function* () {
        try {
          for await (const chunk of body.chunks) {
            taken.bytes += chunk.byteLength;
            yield chunk;
          }
        } finally {
          taken.open -= 1;
        }
      })();
      return { ...body, chunks };
    };
    const list: S3Store['list'] = (request, signal) => store.list(request, signal);
    return { store: Object.assign(Object.create(store) as S3Store, { get, list }), taken };
  }

  it.each(['listed', 'ready'] as const)(
    'is no more than maxBytes, of no more than maxObjects, however long nobody pulls (%s)',
    async (order) => {
      const prefix = await seed(6, 4 * MIB);
      const { store, taken } = counted();
      const run = await reading(
        new S3Source({
          client: store,
          bucket: buckets().bucket,
          prefix,
          format: 'bytes',
          order,
          readAhead: { maxObjects: 3, maxBytes: 3 * MIB },
        }),
      );
      const most = 3 * MIB + 3 * 65_536;
      for (let pulls = 0; pulls < 4; pulls += 1) {
        await vi.waitFor(() => expect(taken.bytes - sizeOf(run.items)).toBeGreaterThan(2 * MIB));
        for (let turns = 0; turns < 50; turns += 1) await turn();
        expect(taken.bytes - sizeOf(run.items)).toBeLessThanOrEqual(most);
        await run.pull(1);
      }
      await run.readAll(1);
      expect(sizeOf(run.items)).toBe(24 * MIB);
      expect(taken).toEqual({ bytes: 24 * MIB, open: 0, most: 3 });
    },
  );

  it('is of more objects than are fetched at once, where those behind one that takes long have come whole', async () => {
    const prefix = await seed(20, 100_000);
    const { store, taken } = counted();
    const first = new Deferred();
    let got = 0;
    const get: S3Store['get'] = async (request, signal) => {
      got += 1;
      if (got === 1) await first.promise;
      return store.get(request, signal);
    };
    const run = await reading(
      new S3Source({
        client: Object.assign(Object.create(store) as S3Store, { get }),
        bucket: buckets().bucket,
        prefix,
        format: 'bytes',
        readAhead: { maxObjects: 3, maxBytes: 3 * MIB },
      }),
    );
    // Three connections, of which the first has nothing for now: four times as many objects may wait, and not one more.
    await vi.waitFor(() => expect(got).toBe(12));
    for (let turns = 0; turns < 50; turns += 1) await turn();
    expect(got).toBe(12);
    first.resolve();
    await run.readAll();
    expect(sizeOf(run.items)).toBe(20 * 100_000);
    expect(taken).toMatchObject({ open: 0 });
    expect(taken.most).toBeLessThanOrEqual(3);
  });

  it.each(['listed', 'ready'] as const)(
    '77: takes no more connections than there are: 60 objects that wait do not hang (%s)',
    async (order) => {
      const prefix = await seed(60, 300_000);
      const run = await reading(
        source(prefix, { order, readAhead: { maxObjects: 40, maxBytes: 40 * 100_000 } }),
      );
      // All 40 are waiting for room by then.
      await run.pull(1);
      for (let turns = 0; turns < 100; turns += 1) await turn();
      await run.readAll();
      expect(sizeOf(run.items)).toBe(60 * 300_000);
    },
  );

  it('77: gives the connections of a client back that is not its own, when it is stopped in the middle', async () => {
    const prefix = await seed(12, 2 * MIB);
    const { endpoint, region, credentials } = buckets().service;
    const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
    try {
      for (let run = 0; run < 12; run += 1) {
        const own = new S3Source({
          client,
          bucket: buckets().bucket,
          prefix,
          format: 'bytes',
          readAhead: { maxObjects: 12, maxBytes: 12 * 65_536 },
        });
        const { pull, close } = await reading(own);
        await pull(1);
        await close();
      }
      const last = await reading(new S3Source({ client, bucket: buckets().bucket, prefix, format: 'bytes' }));
      expect(sizeOf(await last.readAll())).toBe(24 * MIB);
    } finally {
      client.destroy();
    }
  });

  it('stays in memory what it is, where the objects are large and the sink is slow', async () => {
    const prefix = await seed(6, 48 * MIB);
    const lengths: number[] = [];
    globalThis.gc?.();
    const before = process.memoryUsage().rss;
    let most = 0;
    let bytes = 0;
    await new ConcurrentPipeline(
      source(prefix, { readAhead: { maxObjects: 6, maxBytes: 12 * MIB } }),
      async (chunks: readonly Uint8Array[]) => {
        bytes += sizeOf(chunks);
        lengths.push(chunks.length);
        for (let turns = 0; turns < 10; turns += 1) await turn();
        most = Math.max(most, process.memoryUsage().rss - before);
      },
    )
      .bufferSize(16)
      .run();
    expect(bytes).toBe(6 * 48 * MIB);
    expect(most).toBeLessThan(200 * MIB);
  });

  it.each(['stop', 'abort', 'close'] as const)(
    'is let go of soon by a %s, also where a body stalls',
    async (how) => {
      const { faults, throughFaults } = buckets();
      const prefix = await seed(3, MIB);
      faults.plan({ on: 'GetObject', times: 3, fault: { kind: 'stallBody', at: 1000 } });
      const run = await reading(
        source(prefix, { ...throughFaults, readAhead: { maxBytes: MIB }, stallMs: 60_000 }),
      );
      await vi.waitFor(() =>
        expect(faults.requests.filter(({ operation }) => operation === 'GetObject')).toHaveLength(3),
      );
      const outstanding = run.readAll();
      const begun = performance.now();
      if (how === 'stop') run.source.stop();
      if (how === 'abort') run.abort();
      const closing = run.close();
      await outstanding;
      await closing;
      expect(performance.now() - begun).toBeLessThan(5000);
    },
  );

  it('is let go of soon while the store is away', async () => {
    const { faults, throughFaults } = buckets();
    const prefix = await seed(1, 1000);
    faults.plan({ on: 'GetObject', times: 99, fault: { kind: 'error', status: 503, code: 'SlowDown' } });
    const run = await reading(source(prefix, throughFaults));
    await vi.waitFor(() => expect(faults.requests.length).toBeGreaterThan(2));
    const outstanding = run.readAll();
    run.source.stop();
    expect(await outstanding).toEqual([]);
    await run.close();
  });

  it('is nothing where it could not be opened', async () => {
    const run = reading(
      new S3Source({ ...buckets().reach, bucket: 'there-is-no-such-bucket', prefix: 'a', retryMs: 0 }),
    );
    await expect(run).rejects.toMatchObject({ code: 'SW_S3_BUCKET_UNKNOWN' });
  });
});
