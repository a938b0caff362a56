import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Agent } from 'node:http';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { type GetObjectCommandOutput, S3Client } from '@aws-sdk/client-s3';
import { expect, it } from 'vitest';
import { openS3Faults } from '../../../tools/services/s3-faults.ts';
import { contentOf, outcomeOf, useStores } from './opened.ts';
import { describeWithS3 } from './service.ts';

/** More than the buffers on the way hold, so that it is not all here when it is cut. */
const LARGE = randomBytes(8 * 1024 * 1024);

describeWithS3('The body of an object', (buckets) => {
  const open = useStores();
  const { signal } = new AbortController();

  async function large(): Promise<string> {
    await buckets().put('large', LARGE);
    return 'large';
  }

  it('67: is cut: what came comes, and then an error that may pass', async () => {
    const { bucket, faults, throughFaults } = buckets();
    const cut = faults.plan({ on: 'GetObject', fault: { kind: 'cutBody', at: 3_000_000 } });
    const store = open(throughFaults);
    const { bytes, error } = await outcomeOf(await store.get({ bucket, key: await large() }, signal));
    expect(error).toMatchObject({ code: 'SW_S3_CONNECTION_LOST', isTransient: true, bucket, key: 'large' });
    expect(bytes.length).toBeLessThanOrEqual(3_000_000);
    expect(bytes.equals(LARGE.subarray(0, bytes.length))).toBe(true);
    expect(cut.met).toBe(1);
    // From there it goes on.
    const rest = await contentOf(await store.get({ bucket, key: 'large', from: bytes.length }, signal));
    expect(Buffer.concat([bytes, rest]).equals(LARGE)).toBe(true);
  });

  it('67: is cut in a range', async () => {
    const { bucket, faults, throughFaults } = buckets();
    const cut = faults.plan({ on: 'GetObject', fault: { kind: 'cutBody', at: 100_000 } });
    const body = await open(throughFaults).get(
      { bucket, key: await large(), from: 10, to: 5_000_000 },
      signal,
    );
    const { bytes, error } = await outcomeOf(body);
    expect(error).toMatchObject({ code: 'SW_S3_CONNECTION_LOST' });
    expect(bytes.equals(LARGE.subarray(10, 10 + bytes.length))).toBe(true);
    expect(cut.met).toBe(1);
  });

  it.each([
    ['all of it', {}],
    ['a range', { from: 1 }],
  ])(
    'is lost before anybody reads it (%s): the process goes on, and the reader hears of it',
    async (_, range) => {
      const { bucket, service } = buckets();
      const faults = await openS3Faults(service);
      // Little, so that its connection is read on, and its end is seen at once.
      faults.plan({ on: 'GetObject', fault: { kind: 'stallBody', at: 1000 } });
      const { endpoint } = faults;
      const { region, credentials } = service;
      const httpAgent = new Agent({ keepAlive: true });
      const client = new S3Client({
        ...{ endpoint, region, credentials, forcePathStyle: true },
        requestHandler: { httpAgent },
      });
      const body = await open({ client }).get({ bucket, key: await large(), ...range }, signal);
      const [[socket] = []] = Object.values(httpAgent.sockets);
      await Promise.all([once(socket as Socket, 'close'), faults.close()]);
      await turn();
      await expect(contentOf(body)).rejects.toMatchObject({ code: 'SW_S3_CONNECTION_LOST' });
    },
  );

  it.each([
    ['all of it', {}],
    ['a range', { from: 1 }],
  ])(
    '67: is lost while a client of the user thinks over the answer (%s): the process goes on, and the reader hears of it',
    async (_, range) => {
      const { bucket, faults, service } = buckets();
      const { region, credentials } = service;
      await buckets().put('thought over', randomBytes(5000));
      const cut = faults.plan({ on: 'GetObject', fault: { kind: 'cutBody', at: 1000 } });
      const client = new S3Client({ region, credentials, endpoint: faults.endpoint, forcePathStyle: true });
      client.middlewareStack.add(
        (next) => async (given) => {
          const answer = await next(given);
          const body = (answer.output as GetObjectCommandOutput).Body as Readable;
          await new Promise((resolve) => body.once('close', resolve));
          return answer;
        },
        { step: 'initialize' },
      );
      const body = await open({ client }).get({ bucket, key: 'thought over', ...range }, signal);
      await expect(contentOf(body)).rejects.toMatchObject({ code: 'SW_S3_CONNECTION_LOST' });
      expect(cut.met).toBe(1);
    },
  );

  it.each(['read', 'destroyed'])(
    'of a store that is closed is lost, and that is no end of the process (%s)',
    async (how) => {
      const { bucket, reach } = buckets();
      const store = open(reach);
      const body = await store.get({ bucket, key: await large() }, signal);
      store.close();
      await turn();
      if (how === 'destroyed') body.destroy();
      else await expect(contentOf(body)).rejects.toMatchObject({ code: 'SW_S3_CONNECTION_LOST' });
    },
  );

  it('68: goes silent, and is given up after stallMs', async () => {
    const { bucket, faults, throughFaults } = buckets();
    const stall = faults.plan({ on: 'GetObject', fault: { kind: 'stallBody', at: 1_000_000 } });
    const store = open({ ...throughFaults, stallMs: 100 });
    const { bytes, error } = await outcomeOf(await store.get({ bucket, key: await large() }, signal));
    expect(error).toMatchObject({ code: 'SW_S3_CONNECTION_LOST', isTransient: true });
    expect((error as Error).message).toContain('nothing came for too long');
    expect(bytes.length).toBeGreaterThan(0);
    expect(stall.met).toBe(1);
  });

  it('68: may be read slowly: whoever takes his time is not taken for a store that is silent', async () => {
    const { bucket, reach } = buckets();
    const body = await open({ ...reach, stallMs: 20 }).get({ bucket, key: await large() }, signal);
    const chunks: Uint8Array[] = [];
    for await (const chunk of body.chunks) {
      // Longer than stallMs, of which nothing is left when the next is asked for.
      if (chunks.length < 5) for (const end = performance.now() + 30; performance.now() < end; ) await turn();
      chunks.push(chunk);
    }
    expect(Buffer.concat(chunks).equals(LARGE)).toBe(true);
  });

  it('70: has another byte than was stored, and says so at its end', async () => {
    const { bucket, faults, throughFaults } = buckets();
    const flip = faults.plan({ on: 'GetObject', fault: { kind: 'flipByte', at: 5_000_000 } });
    const { error } = await outcomeOf(await open(throughFaults).get({ bucket, key: await large() }, signal));
    expect(error).toMatchObject({ code: 'SW_S3_OBJECT_CORRUPT', isTransient: true });
    expect(flip.met).toBe(1);
  });

  it('is not compared with its checksum where that is not wanted', async () => {
    const { bucket, faults, throughFaults } = buckets();
    faults.plan({ on: 'GetObject', fault: { kind: 'flipByte', at: 5_000_000 } });
    const store = open({ ...throughFaults, responseChecksumValidation: 'WHEN_REQUIRED' });
    const bytes = await contentOf(await store.get({ bucket, key: await large() }, signal));
    expect(bytes.equals(LARGE)).toBe(false);
  });

  it('ends with the reason when its signal aborts in the middle', async () => {
    const { bucket, reach } = buckets();
    const abort = new AbortController();
    const body = await open(reach).get({ bucket, key: await large() }, abort.signal);
    const chunks = body.chunks[Symbol.asyncIterator]();
    await chunks.next();
    const reason = new Error('enough');
    abort.abort(reason);
    const read = async (): Promise<void> => {
      for (;;) if ((await chunks.next()).done === true) return;
    };
    await expect(read()).rejects.toBe(reason);
  });

  it('ends with the reason when its signal aborts while it is waited for', async () => {
    const { bucket, faults, throughFaults } = buckets();
    faults.plan({ on: 'GetObject', fault: { kind: 'stallBody', at: 0 } });
    const abort = new AbortController();
    const body = await open({ ...throughFaults, stallMs: 600_000 }).get(
      { bucket, key: await large() },
      abort.signal,
    );
    const reading = contentOf(body);
    await turn();
    const reason = new Error('enough');
    abort.abort(reason);
    await expect(reading).rejects.toBe(reason);
  });

  it('77: 60 of them, each destroyed unread, leave the connections to those that come', async () => {
    const { bucket, reach } = buckets();
    const store = open(reach);
    const key = await large();
    for (let count = 0; count < 60; count += 1) (await store.get({ bucket, key }, signal)).destroy();
    expect((await contentOf(await store.get({ bucket, key }, signal))).equals(LARGE)).toBe(true);
  });

  it('77: 60 of them unread hold all connections, and that is told and not waited for without end', async () => {
    const { bucket, reach } = buckets();
    const store = open({ ...reach, requestTimeoutMs: 3000 });
    const key = await large();
    const opened = await Promise.allSettled(
      Array.from({ length: 60 }, () => store.get({ bucket, key }, signal)),
    );
    const failed = opened.filter(({ status }) => status === 'rejected');
    expect(failed.length).toBe(10);
    for (const { reason } of failed as PromiseRejectedResult[])
      expect(reason).toMatchObject({ code: 'SW_S3_CONNECTION_LOST', isTransient: true });
    for (const each of opened) if (each.status === 'fulfilled') each.value.destroy();
    expect((await contentOf(await store.get({ bucket, key }, signal))).equals(LARGE)).toBe(true);
  });

  it('reads nothing twice: an empty object has no chunks', async () => {
    const { bucket, reach, put } = buckets();
    await put('empty', '');
    expect((await contentOf(await open(reach).get({ bucket, key: 'empty' }, signal))).length).toBe(0);
  });
});
