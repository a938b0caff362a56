/** Faults of the store while it is written to. A test begins with the number of its row. */

import { CreateMultipartUploadCommand } from '@aws-sdk/client-s3';
import { ConcurrentPipeline, MemoryCheckpointStore, range } from '@streamweld/core';
import { Deferred, installRuntime } from '@streamweld/core/connector';
import { VirtualClock } from '@streamweld/testing';
import { expect, it } from 'vitest';
import { S3Sink } from '../src/sink.ts';
import type { S3SinkOptions } from '../src/sink-options.ts';
import { describeWithS3 } from './service.ts';
import { Driven, type Item, items, objectKeys, readItems, readLedger } from './writing.ts';

const MIB = 1 << 20;

function firstOf(prefix: string): string {
  return `${prefix}0000000001.ndjson`;
}

/** So much that parts are sent: 12 MB. */
function much(): Item[] {
  const text = 'x'.repeat(100_000);
  return Array.from({ length: 120 }, (_, id) => ({ id, text }));
}

describeWithS3('S3Sink and a store that fails', (buckets) => {
  let places = 0;
  const place = (): string => `place-${places++}/`;
  const sinkOf = (prefix: string, more: Partial<S3SinkOptions<Item>> = {}): S3Sink<Item> =>
    new S3Sink<Item>({
      ...buckets().throughFaults,
      bucket: buckets().bucket,
      key: `${prefix}{sequence}.ndjson`,
      format: 'ndjson',
      ledger: `${prefix}ledger.json`,
      partBytes: 5 * MIB,
      ...more,
    } as S3SinkOptions<Item> & { format: 'ndjson' });
  const open = (prefix: string, more?: Partial<S3SinkOptions<Item>>): Promise<Driven> =>
    new Driven(sinkOf(prefix, more)).open();

  const ALL = ['PutObject', 'CreateMultipartUpload', 'UploadPart', 'CompleteMultipartUpload'] as const;
  const REFUSALS = [
    [503, 'SlowDown'],
    [500, 'InternalError'],
    [429, 'TooManyRequests'],
  ] as const;

  it.each(REFUSALS)('66 goes on when the store has answered %i %s for a while', async (status, code) => {
    const prefix = place();
    const { faults } = buckets();
    const planned = ALL.map((on) => faults.plan({ on, times: 3, fault: { kind: 'error', status, code } }));
    const driven = await open(prefix);
    await driven.write(much());
    await driven.flush();
    await driven.close();
    expect(planned.map(({ met }) => met)).toEqual([3, 3, 3, 3]);
    expect(await readItems(buckets(), prefix)).toEqual(much());
    expect(await buckets().uploads(firstOf(prefix))).toEqual([]);
  });

  it('66 outlasts half a minute of 503, and gives up in the end', async () => {
    const prefix = place();
    const clock = new VirtualClock();
    const away = { times: 1e9, fault: { kind: 'error', status: 503, code: 'SlowDown' } } as const;
    const driven = await open(prefix, { retryMs: 60_000 });
    buckets().faults.plan({ on: 'PutObject', ...away });
    // Each pause is over at once: the pauses of half a minute are some ten requests.
    const uninstall = installRuntime(clock);
    try {
      const begun = clock.now();
      const written = driven.write(items(0, 3)).then(() => driven.flush());
      let isOver = false;
      const over = (): boolean => (isOver = true);
      written.then(over, over);
      // What is on its way to the store and back takes real time.
      for (; !isOver; await clock.advance(500)) await new Promise((resolve) => setTimeout(resolve, 5));
      await expect(written).rejects.toMatchObject({ code: 'SW_S3_BUSY' });
      expect(clock.now() - begun).toBeGreaterThan(30_000);
    } finally {
      uninstall();
    }
    await driven.abort();
  });

  it('72 takes a success with an error inside for the failure that it is, and tries again', async () => {
    const prefix = place();
    const planned = buckets().faults.plan({
      on: 'CompleteMultipartUpload',
      times: 2,
      fault: { kind: 'error', status: 200, code: 'InternalError' },
    });
    const driven = await open(prefix);
    const answer = await driven.write(much());
    await driven.flush();
    await answer?.durable;
    await driven.close();
    expect(planned.met).toBe(2);
    expect(await readItems(buckets(), prefix)).toEqual(much());
  });

  it.each([
    [404, 'NoSuchUpload'],
    [412, 'PreconditionFailed'],
  ])(
    '73 knows its object again when the answer was lost, and the store then says %i %s',
    async (status, code) => {
      const prefix = place();
      const { faults } = buckets();
      const lost = faults.plan({ on: 'CompleteMultipartUpload', fault: { kind: 'loseAnswer' } });
      const gone = faults.plan({ on: 'CompleteMultipartUpload', fault: { kind: 'error', status, code } });
      const driven = await open(prefix);
      await driven.write(much());
      await driven.flush();
      await driven.close();
      expect([lost.met, gone.met]).toEqual([1, 1]);
      expect(faults.requests.map(({ operation }) => operation)).toContain('HeadObject');
      expect(await readItems(buckets(), prefix)).toEqual(much());
    },
  );

  it('73 does not take an upload that is gone for one that was completed', async () => {
    const prefix = place();
    const { faults } = buckets();
    faults.plan({
      on: 'CompleteMultipartUpload',
      times: 1e9,
      fault: { kind: 'error', status: 404, code: 'NoSuchUpload' },
    });
    const driven = await open(prefix);
    const answer = await driven.write(much());
    await expect(driven.flush()).rejects.toMatchObject({ code: 'SW_S3_UPLOAD_MISSING' });
    await expect(answer?.durable).rejects.toMatchObject({ code: 'SW_S3_UPLOAD_MISSING' });
    await driven.abort();
    expect(await buckets().uploads(firstOf(prefix))).toEqual([]);
  });

  it('73 so too where the store does not know conditions', async () => {
    const prefix = place();
    const { faults } = buckets();
    faults.plan({ on: 'CompleteMultipartUpload', fault: { kind: 'loseAnswer' } });
    const driven = await open(prefix, { conditional: false });
    await driven.write(much());
    await driven.flush();
    await driven.close();
    expect(await readItems(buckets(), prefix)).toEqual(much());
    expect(faults.requests.some(({ headers }) => 'if-none-match' in headers || 'if-match' in headers)).toBe(
      false,
    );
  });

  it('73 knows a small object again when the answer was lost, and not that of another', async () => {
    const prefix = place();
    const isObject = ({ operation, key }: { operation: string; key: string }): boolean =>
      operation === 'PutObject' && key.endsWith('.ndjson');
    const planned = buckets().faults.plan({ on: isObject, fault: { kind: 'loseAnswer' } });
    const driven = await open(prefix);
    await driven.write(items(0, 3));
    await driven.flush();
    expect(planned.met).toBe(1);
    // The same again, and this time it is another's.
    buckets().faults.plan({
      on: isObject,
      fault: { kind: 'before', run: () => buckets().put(`${prefix}0000000002.ndjson`, '{"id":9}\n') },
    });
    await driven.write(items(3, 6));
    await expect(driven.flush()).rejects.toMatchObject({ code: 'SW_S3_OBJECT_EXISTS' });
    await driven.abort();
    expect(await readItems(buckets(), prefix)).toEqual([...items(0, 3), { id: 9 }]);
  });

  it('73 aborts the upload that was begun twice, since the first answer was lost', async () => {
    const prefix = place();
    buckets().faults.plan({ on: 'CreateMultipartUpload', fault: { kind: 'loseAnswer' } });
    const driven = await open(prefix);
    await driven.write(much());
    await driven.flush();
    await driven.close();
    expect(await readItems(buckets(), prefix)).toEqual(much());
    expect(await buckets().uploads(firstOf(prefix))).toEqual([]);
  });

  it('74 shows nothing of what was killed, and sweeps the uploads that it left, of nobody else', async () => {
    const prefix = place();
    const { bucket, bare } = buckets();
    const left = await open(prefix, { maxOpen: 1 });
    for (let n = 0; n < 3; n += 1) await left.write(much());
    const key = firstOf(prefix);
    expect(await buckets().uploads(firstOf(prefix))).toEqual([key]);
    // Of others: before its key, behind it, and one that begins as it does.
    const others = [`${prefix}0`, `${prefix}0000000002.ndjson`, `${key}.other`];
    for (const Key of others) await bare.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key }));
    expect(await objectKeys(buckets(), prefix)).toEqual([]);

    const next = await open(prefix);
    expect((await buckets().uploads(key, ...others)).toSorted()).toEqual(others.toSorted());
    await next.close();
    await left.abort();
    expect((await buckets().uploads(key, ...others)).toSorted()).toEqual(others.toSorted());
  });

  it('74 sweeps what was begun and could not be noted', async () => {
    const prefix = place();
    // The store does it, and the process ends before it hears of it.
    const lost = buckets().faults.plan({
      on: 'CreateMultipartUpload',
      times: 1e9,
      fault: { kind: 'loseAnswer' },
    });
    const left = await open(prefix, { retryMs: 0 });
    await left.write(much()).catch(() => {});
    await expect(left.flush()).rejects.toMatchObject({ code: 'SW_S3_CONNECTION_LOST' });
    expect(lost.met).toBe(1);
    expect(await buckets().uploads(firstOf(prefix))).toHaveLength(1);
    const next = await open(prefix);
    expect(await buckets().uploads(firstOf(prefix))).toEqual([]);
    await next.close();
    await left.abort();
  });

  it('75 aborts its uploads when the source fails, and no object is there', async () => {
    const prefix = place();
    const text = 'x'.repeat(100_000);
    const sent = new Deferred();
    buckets().faults.plan({ on: 'UploadPart', fault: { kind: 'before', run: async () => sent.resolve() } });
    const run = new ConcurrentPipeline(
      (async function* () {
        for (let id = 0; id < 300; id += 1) yield { id, text };
        await sent.promise;
        throw new Error('the source failed');
      })(),
      sinkOf(prefix, { maxOpen: 1 }),
    ).run();
    await expect(run).rejects.toThrow();
    const operations = buckets().faults.requests.map(({ operation }) => operation);
    expect(operations).toContain('UploadPart');
    expect(operations).toContain('AbortMultipartUpload');
    expect(await buckets().uploads(firstOf(prefix))).toEqual([]);
    expect(await objectKeys(buckets(), prefix)).toEqual([]);
  });

  it('76 says that credentials have expired, once it has asked for others', async () => {
    const prefix = place();
    const driven = await open(prefix);
    const planned = buckets().faults.plan({
      on: 'PutObject',
      times: 1e9,
      fault: { kind: 'error', status: 400, code: 'ExpiredToken' },
    });
    await driven.write(items(0, 3)).catch(() => {});
    await expect(driven.flush()).rejects.toMatchObject({
      code: 'SW_S3_DENIED',
      message: expect.stringContaining('expired'),
    });
    expect(driven.failures).toMatchObject([{ code: 'SW_S3_DENIED' }]);
    expect(planned.met).toBeLessThanOrEqual(2);
    await driven.abort();
  });

  it('76 says that the clock is wrong', async () => {
    const prefix = place();
    buckets().faults.plan({
      on: 'GetObject',
      times: 1e9,
      fault: { kind: 'error', status: 403, code: 'RequestTimeTooSkewed' },
    });
    const driven = new Driven(sinkOf(prefix));
    await expect(driven.open()).rejects.toMatchObject({
      code: 'SW_S3_DENIED',
      message: expect.stringContaining('clock'),
    });
    await driven.abort();
  });

  it('says what to do about a store that does not know conditional writes', async () => {
    const prefix = place();
    buckets().faults.plan({
      on: ({ headers }) => 'if-none-match' in headers,
      times: 1e9,
      fault: { kind: 'error', status: 501, code: 'NotImplemented' },
    });
    const driven = new Driven(sinkOf(prefix));
    await expect(driven.open()).rejects.toMatchObject({
      code: 'SW_S3_UNSUPPORTED',
      message: expect.stringContaining('conditional: false'),
    });
    await driven.abort();
    const without = await open(prefix, { conditional: false });
    await without.write(items(0, 3));
    await without.flush();
    await without.close();
    expect(await readItems(buckets(), prefix)).toEqual(items(0, 3));
  });

  it('keeps the positions in the store of the run where exactlyOnce is false', async () => {
    const prefix = place();
    const store = new MemoryCheckpointStore();
    const sink = new S3Sink<number>({
      ...buckets().reach,
      bucket: buckets().bucket,
      key: `${prefix}{sequence}.ndjson`,
      format: 'ndjson',
      ledger: `${prefix}ledger.json`,
      exactlyOnce: false,
    });
    await new ConcurrentPipeline(range(0, 1000), sink).checkpoint(store, 'numbers').run();
    expect([...store.load('numbers')]).toHaveLength(1);
    expect((await readLedger(buckets(), `${prefix}ledger.json`)).checkpoint).toBeNull();
    expect(await objectKeys(buckets(), prefix)).toHaveLength(1);
  });
});
