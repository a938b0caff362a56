/** What goes wrong while objects are read. A test begins with the number of its row in the table of faults. */

import { randomBytes, randomUUID } from 'node:crypto';
import { DeleteObjectCommand } from '@aws-sdk/client-s3';
import { expect, it } from 'vitest';
import type { S3Store } from '../src/client.ts';
import { S3Source } from '../src/source.ts';
import type { S3SourceOptions } from '../src/source-options.ts';
import { useStores } from './opened.ts';
import { useReadings } from './reading.ts';
import { describeWithS3 } from './service.ts';

describeWithS3('S3Source, when something goes wrong', (buckets) => {
  const reading = useReadings();
  const stores = useStores();
  const source = (prefix: string, more: Partial<S3SourceOptions> = {}): S3Source<Uint8Array> =>
    new S3Source({ ...buckets().throughFaults, bucket: buckets().bucket, prefix, format: 'bytes', ...more });
  const put = async (size: number): Promise<{ prefix: string; key: string; body: Buffer }> => {
    const prefix = `${randomUUID()}/`;
    const body = randomBytes(size);
    await buckets().put(`${prefix}a`, body);
    return { prefix, key: `${prefix}a`, body };
  };
  const gets = (key: string) =>
    buckets()
      .faults.requests.filter((request) => request.operation === 'GetObject' && request.key === key)
      .map(({ headers }) => ({ range: headers['range'], ifMatch: headers['if-match'] }));

  const SIZE = 3_000_000;

  it('66: a store that is busy is asked again, for listings as for objects', async () => {
    const { faults } = buckets();
    const { prefix, body } = await put(1000);
    const met = [
      faults.plan({ on: 'ListObjectsV2', times: 4, fault: { kind: 'error', status: 503, code: 'SlowDown' } }),
      faults.plan({
        on: 'GetObject',
        times: 2,
        fault: { kind: 'error', status: 500, code: 'InternalError' },
      }),
      faults.plan({
        on: 'GetObject',
        times: 2,
        fault: { kind: 'error', status: 429, code: 'TooManyRequests' },
      }),
      faults.plan({ on: 'GetObject', fault: { kind: 'reset' } }),
    ];
    const run = await reading(source(prefix));
    expect(Buffer.concat(await run.readAll()).equals(body)).toBe(true);
    expect(met.map((each) => each.met)).toEqual([4, 2, 2, 1]);
  });

  it('66: no longer than retryMs', async () => {
    const { faults } = buckets();
    const { prefix } = await put(1000);
    faults.plan({ on: 'GetObject', times: 99, fault: { kind: 'error', status: 503, code: 'SlowDown' } });
    const run = await reading(source(prefix, { retryMs: 100 }));
    await expect(run.readAll()).rejects.toMatchObject({ code: 'SW_S3_BUSY' });
  });

  it.each([0, 1, 65_536, 1_000_000, SIZE - 1])(
    '67: a body that is cut at byte %i goes on there, of the same version only',
    async (at) => {
      const { faults } = buckets();
      const { prefix, key, body } = await put(SIZE);
      const cut = faults.plan({ on: 'GetObject', fault: { kind: 'cutBody', at } });
      const run = await reading(source(prefix));
      expect(Buffer.concat(await run.readAll()).equals(body)).toBe(true);
      expect(cut.met).toBe(1);
      const [first, second, ...more] = gets(key);
      expect(first).toEqual({ range: undefined, ifMatch: undefined });
      // What was delivered may be less than what was sent.
      const [, from] = /^bytes=(\d+)-$/.exec(second?.range ?? 'bytes=0-') ?? [];
      expect(Number(from)).toBeLessThanOrEqual(at);
      expect(second?.ifMatch).toMatch(/^".+"$/);
      expect(more).toEqual([]);
    },
  );

  it('67: a body that is cut again and again comes whole, small or large', async () => {
    const { faults } = buckets();
    for (const size of [200_000, SIZE]) {
      const { prefix, body } = await put(size);
      const cut = faults.plan({ on: 'GetObject', times: 3, fault: { kind: 'cutBody', at: size / 5 } });
      const run = await reading(source(prefix));
      expect(Buffer.concat(await run.readAll()).equals(body)).toBe(true);
      expect(cut.met).toBe(3);
    }
  });

  it('67: retryMs is for failures in a row: a body that goes on each time may be cut for longer', async () => {
    const { faults } = buckets();
    const { prefix, body } = await put(SIZE);
    const cut = faults.plan({ on: 'GetObject', times: 8, fault: { kind: 'cutBody', at: 300_000 } });
    const run = await reading(source(prefix, { retryMs: 150 }));
    expect(Buffer.concat(await run.readAll()).equals(body)).toBe(true);
    expect(cut.met).toBe(8);
  });

  it('67: a body that ends too early goes on, also where a store of your own does not say so', async () => {
    const { prefix, body } = await put(SIZE);
    const store = stores(buckets().reach);
    let shortened = 0;
    const get: S3Store['get'] = async (request, signal) => {
      const whole = await store.get(request, signal);
      if (shortened++ > 0) return whole;
      const chunks = (async function* () {
        for await (const chunk of whole.chunks) {
          yield chunk;
          return;
        }
      })();
      return { ...whole, chunks };
    };
    const list: S3Store['list'] = (request, signal) => store.list(request, signal);
    const client = Object.assign(Object.create(store) as S3Store, { get, list });
    const run = await reading(new S3Source({ client, bucket: buckets().bucket, prefix, format: 'bytes' }));
    expect(Buffer.concat(await run.readAll()).equals(body)).toBe(true);
    expect(shortened).toBe(2);
  });

  it('68: a body that stalls is given up after stallMs, and goes on', async () => {
    const { faults } = buckets();
    const { prefix, body } = await put(SIZE);
    const stalled = faults.plan({ on: 'GetObject', fault: { kind: 'stallBody', at: 1_000_000 } });
    const run = await reading(source(prefix, { stallMs: 200 }));
    expect(Buffer.concat(await run.readAll()).equals(body)).toBe(true);
    expect(stalled.met).toBe(1);
  });

  it('69: an object that is replaced while it is read fails the run, and is never a mix of two', async () => {
    const { faults, put: write } = buckets();
    const { prefix, key, body } = await put(SIZE);
    faults.plan({ on: 'GetObject', fault: { kind: 'cutBody', at: 1_000_000 } });
    const replaced = faults.plan({
      on: 'GetObject',
      after: 0,
      fault: { kind: 'before', run: () => write(key, randomBytes(SIZE)) },
    });
    const run = await reading(source(prefix));
    await expect(run.readAll()).rejects.toMatchObject({ code: 'SW_S3_OBJECT_CHANGED', key });
    expect(replaced.met).toBe(1);
    const came = Buffer.concat(run.items);
    expect(came.length).toBeGreaterThan(0);
    expect(came.equals(body.subarray(0, came.length))).toBe(true);
  });

  it.each(['listed', 'ready'] as const)(
    '69: an object that is replaced or deleted between two runs fails the second, which says what to do (%s)',
    async (order) => {
      const { put: write, bare, bucket } = buckets();
      const { prefix, key } = await put(SIZE);
      const first = await reading(source(prefix, { order }));
      await first.pull();
      const { record } = [...first.positions.values()][0] as { record: number };
      const rejection = (code: string, became: string): object => ({
        code,
        key,
        bucket,
        message: expect.stringMatching(
          new RegExp(
            `stands in it, behind item ${record}, and the object was ${became} since\\. .*begin anew`,
          ),
        ),
      });
      await write(key, randomBytes(SIZE));
      const second = await reading(source(prefix, { order }), first.positions);
      await expect(second.readAll()).rejects.toMatchObject(rejection('SW_S3_OBJECT_CHANGED', 'replaced'));
      await bare.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }));
      const third = await reading(source(prefix, { order }), first.positions);
      await expect(third.readAll()).rejects.toMatchObject(rejection('SW_S3_OBJECT_MISSING', 'deleted'));
    },
  );

  it('70: a small object that arrives damaged is fetched again, and nobody sees it', async () => {
    const { faults } = buckets();
    const { prefix, body } = await put(100_000);
    const flipped = faults.plan({ on: 'GetObject', times: 2, fault: { kind: 'flipByte', at: 50_000 } });
    const run = await reading(source(prefix));
    expect(Buffer.concat(await run.readAll()).equals(body)).toBe(true);
    expect(flipped.met).toBe(2);
  });

  it('70: one that is always damaged fails the run', async () => {
    const { faults } = buckets();
    const { prefix, key } = await put(100_000);
    const flipped = faults.plan({ on: 'GetObject', times: 99, fault: { kind: 'flipByte', at: 50_000 } });
    const run = await reading(source(prefix));
    await expect(run.readAll()).rejects.toMatchObject({ code: 'SW_S3_OBJECT_CORRUPT', key });
    expect(run.items).toEqual([]);
    expect(flipped.met).toBe(3);
  });

  it('70: a large object that arrives damaged fails the run at its end, and does not count as done', async () => {
    const { faults } = buckets();
    const { prefix, key } = await put(SIZE);
    faults.plan({ on: 'GetObject', fault: { kind: 'flipByte', at: 2_000_000 } });
    const run = await reading(source(prefix));
    await expect(run.readAll()).rejects.toMatchObject({
      code: 'SW_S3_OBJECT_CORRUPT',
      key,
      isTransient: false,
    });
    expect([...run.positions.values()].some(({ done }) => done === true)).toBe(false);
  });
});
