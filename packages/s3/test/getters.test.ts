import { randomBytes } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { S3Client } from '@aws-sdk/client-s3';
import { Deferred } from '@streamweld/core/connector';
import { expect, it, onTestFinished } from 'vitest';
import type { S3Store } from '../src/client.ts';
import { SdkStore } from '../src/client-sdk.ts';
import { contentOf } from './opened.ts';
import { type Buckets, describeWithS3 } from './service.ts';

describeWithS3('What reads the objects of an S3Client', tests);

function tests(buckets: () => Buckets): void {
  const { signal } = new AbortController();

  function newClient(): S3Client {
    const { endpoint, region, credentials } = buckets().service;
    const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true, maxAttempts: 1 });
    onTestFinished(() => client.destroy());
    return client;
  }

  function storeOf(client: S3Client): S3Store {
    return new SdkStore(client, { stage: 'a test', requestTimeoutMs: 5000, stallMs: 5000, isOwn: false });
  }

  /** How often the handler of a command was put together from the middlewares of a client. */
  function countHandlers(client: S3Client): () => number {
    let made = 0;
    client.middlewareStack.add(
      (next) => {
        made += 1;
        return next;
      },
      { step: 'build' },
    );
    return () => made;
  }

  /** Requests for this key are not sent before that is allowed; answers when one is to be. */
  function hold(
    client: S3Client,
    key: string,
  ): { readonly isHeld: Promise<void>; readonly allow: () => void } {
    const [isHeld, isAllowed] = [new Deferred(), new Deferred()];
    client.middlewareStack.add(
      (next) => async (given) => {
        if ((given.input as { Key?: string }).Key === key) {
          isHeld.resolve();
          await isAllowed.promise;
        }
        return next(given);
      },
      { step: 'build' },
    );
    return { isHeld: isHeld.promise, allow: () => isAllowed.resolve() };
  }

  it('is put together once for many, anew after 64, and once for each that is read at the same time', async () => {
    const { bucket, put } = buckets();
    await put('many', 'content');
    const client = newClient();
    const made = countHandlers(client);
    const store = storeOf(client);
    const read = async (): Promise<string> =>
      String(await contentOf(await store.get({ bucket, key: 'many' }, signal)));
    for (let n = 0; n < 64; n += 1) expect(await read()).toBe('content');
    expect(made()).toBe(1);
    await read();
    expect(made()).toBe(2);
    await Promise.all([read(), read(), read()]);
    expect(made()).toBe(4);
  });

  it('calls off the request that is meant, and no body that came before it', async () => {
    const { bucket, put } = buckets();
    const content = randomBytes(8 << 20);
    await put('before', content);
    await put('called-off', 'content');
    const client = newClient();
    const { isHeld, allow } = hold(client, 'called-off');
    const store = storeOf(client);
    const before = await store.get({ bucket, key: 'before' }, signal);
    const over = new AbortController();
    const calledOff = store.get({ bucket, key: 'called-off' }, over.signal);
    await isHeld;
    over.abort(new Error('called off'));
    await expect(calledOff).rejects.toThrow('called off');
    allow();
    expect((await contentOf(before)).equals(content)).toBe(true);
  });

  it('reads on after a request that failed, and after one that was called off', async () => {
    const { bucket, put } = buckets();
    await put('there', 'content');
    const client = newClient();
    const made = countHandlers(client);
    const store = storeOf(client);
    const read = async (): Promise<string> =>
      String(await contentOf(await store.get({ bucket, key: 'there' }, signal)));
    expect(await read()).toBe('content');
    await expect(store.get({ bucket, key: 'not there' }, signal)).rejects.toMatchObject({
      code: 'SW_S3_OBJECT_MISSING',
    });
    expect(await read()).toBe('content');
    const over = new AbortController();
    const calledOff = store.get({ bucket, key: 'there' }, over.signal);
    over.abort(new Error('called off'));
    await expect(calledOff).rejects.toThrow('called off');
    expect(await read()).toBe('content');
    expect(made()).toBe(3);
  });

  it('gives back what reads an object with its body, read or not', async () => {
    const { bucket, put } = buckets();
    await put('left', randomBytes(8 << 20));
    const client = newClient();
    const made = countHandlers(client);
    const store = storeOf(client);
    for (let n = 0; n < 3; n += 1) {
      const body = await store.get({ bucket, key: 'left' }, signal);
      const chunks = body.chunks[Symbol.asyncIterator]();
      await chunks.next();
      await chunks.return?.();
      // Its stream is closed in this turn.
      await nextTurn();
    }
    const unread = await store.get({ bucket, key: 'left' }, signal);
    unread.destroy();
    await nextTurn();
    await contentOf(await store.get({ bucket, key: 'left' }, signal));
    expect(made()).toBe(1);
  });

  it('heeds the signals of a client that wraps another, request by request', async () => {
    const { bucket, put } = buckets();
    await put('wrapped', 'content');
    const client = newClient();
    let own = new AbortController();
    const wrapper = {
      config: client.config,
      destroy() {},
      send: (command: never, { abortSignal }: { abortSignal: AbortSignal }) =>
        client.send(command, { abortSignal: AbortSignal.any([abortSignal, own.signal]) }),
    } as never as S3Client;
    const { isHeld, allow } = hold(client, 'held');
    const store = storeOf(wrapper);
    const read = async (key: string): Promise<string> =>
      String(await contentOf(await store.get({ bucket, key }, signal)));
    expect(await read('wrapped')).toBe('content');
    own = new AbortController();
    const held = read('held');
    await isHeld;
    own.abort();
    allow();
    await expect(held).rejects.toMatchObject({ code: 'SW_S3_FAILED' });
    own = new AbortController();
    expect(await read('wrapped')).toBe('content');
  });
}
