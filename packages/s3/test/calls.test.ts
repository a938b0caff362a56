import { Readable } from 'node:stream';
import type { S3Client } from '@aws-sdk/client-s3';
import { useVirtualClock } from '@streamweld/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { S3Store } from '../src/client.ts';
import { SdkStore } from '../src/client-sdk.ts';

describe('A request of a store', () => {
  const time = useVirtualClock({ beforeEach, afterEach });
  const { signal } = new AbortController();
  const place = { bucket: 'bucket', key: 'k' };

  /** Of a client that answers when it is told to, and heeds no signal. */
  function open(): { store: S3Store; answer: (with_: object) => void } {
    let answer: (with_: object) => void = () => {};
    const send = (): Promise<object> => new Promise((resolve) => (answer = resolve));
    const client = { send, destroy() {}, config: {} } as never as S3Client;
    const store = new SdkStore(client, {
      stage: 'a test',
      requestTimeoutMs: 1000,
      stallMs: 5000,
      isOwn: false,
    });
    return { store, answer: (with_) => answer(with_) };
  }

  it('is given up after requestTimeoutMs, and its timer is taken back when it is answered', async () => {
    const { store, answer } = open();
    await expect(time().run(store.head(place, signal))).rejects.toMatchObject({
      code: 'SW_S3_CONNECTION_LOST',
    });
    expect(time().elapsed).toBe(1000);
    const head = store.head(place, signal);
    await time().settle();
    expect(time().activeTimers).toBe(1);
    answer({ ContentLength: 5, ETag: 'e' });
    expect(await time().run(head)).toMatchObject({ size: 5, etag: '"e"' });
    expect(time().activeTimers).toBe(0);
  });

  it('may take a second longer for each 64 kB that it carries', async () => {
    const body = new Uint8Array(6_400_000);
    await expect(time().run(open().store.put({ ...place, body }, signal))).rejects.toThrow(/in time/);
    expect(time().elapsed).toBe(101_000);
  });

  it('whose body comes when nobody waits any more gives the connection back', async () => {
    const { store, answer } = open();
    const body = new Readable({ read() {} });
    await expect(time().run(store.get(place, signal))).rejects.toThrow(/in time/);
    answer({ ContentLength: 5, Body: body });
    await time().settle();
    expect(body.destroyed).toBe(true);
  });

  it('whose body is paused sets no timer, and one that is waited for is given up after stallMs', async () => {
    const { store, answer } = open();
    const body = new Readable({ read() {} });
    const getting = store.get(place, signal);
    await time().settle();
    answer({ ContentLength: 5, ETag: 'e', Body: body });
    const chunks = (await time().run(getting)).chunks[Symbol.asyncIterator]();
    body.push('1');
    await time().run(chunks.next());
    await time().advance(60_000);
    expect(time().activeTimers).toBe(0);
    const waited = time().elapsed;
    await expect(time().run(chunks.next())).rejects.toThrow(/nothing came for too long/);
    expect(time().elapsed - waited).toBe(5000);
    expect(body.destroyed).toBe(true);
    expect(time().activeTimers).toBe(0);
  });
});
