import { randomBytes } from 'node:crypto';
import { listenersOf } from '@streamweld/testing';
import { expect, it } from 'vitest';
import type { S3Store } from '../src/client.ts';
import type { ReachOptions } from '../src/options.ts';
import { contentOf, useStores } from './opened.ts';
import { ANY_S3, type Buckets, describeWithS3 } from './service.ts';

describeWithS3('A store of an S3Client', tests, ANY_S3);

function tests(buckets: () => Buckets): void {
  const stores = useStores();
  const open = (reach: ReachOptions = buckets().reach): S3Store => stores(reach);
  const { signal } = new AbortController();

  it('puts an object, says what it is, and reads it', async () => {
    const { bucket } = buckets();
    const store = open();
    const body = randomBytes(300_000);
    const etag = await store.put(
      {
        bucket,
        key: 'put',
        body,
        contentType: 'text/plain',
        contentEncoding: 'gzip',
        metadata: { one: '1' },
      },
      signal,
    );
    const facts = { size: 300_000, etag, contentEncoding: 'gzip', metadata: { one: '1' } };
    expect(etag).toMatch(/^".+"$/);
    expect(await store.head({ bucket, key: 'put' }, signal)).toEqual(facts);
    const read = await store.get({ bucket, key: 'put' }, signal);
    expect(read).toMatchObject(facts);
    expect((await contentOf(read)).equals(body)).toBe(true);
  });

  it('reads a range, and says what all of it has', async () => {
    const { bucket, put } = buckets();
    await put('range', '0123456789');
    const store = open();
    const some = await store.get({ bucket, key: 'range', from: 2, to: 5 }, signal);
    expect(some.size).toBe(10);
    expect(String(await contentOf(some))).toBe('234');
    const rest = await store.get({ bucket, key: 'range', from: 7, ifMatch: some.etag }, signal);
    expect(String(await contentOf(rest))).toBe('789');
  });

  it('says undefined of an object that is not there, and throws where it is to be read', async () => {
    const { bucket } = buckets();
    const store = open();
    expect(await store.head({ bucket, key: 'none' }, signal)).toBeUndefined();
    await expect(store.get({ bucket, key: 'none' }, signal)).rejects.toMatchObject({
      code: 'SW_S3_OBJECT_MISSING',
      isTransient: false,
      s3Error: 'NoSuchKey',
    });
  });

  it('lists page by page, in order, from behind a key', async () => {
    const { bucket, put } = buckets();
    for (const key of ['list/b', 'list/a', 'list/c', 'list/d', 'other']) await put(key, key);
    const store = open();
    const first = await store.list({ bucket, prefix: 'list/', maxKeys: 3 }, signal);
    expect(first.objects.map(({ key }) => key)).toEqual(['list/a', 'list/b', 'list/c']);
    expect(first.objects[0]?.size).toBe(6);
    expect(first.objects[0]?.etag).toBe((await store.head({ bucket, key: 'list/a' }, signal))?.etag);
    const second = await store.list({ bucket, prefix: 'list/', token: first.token }, signal);
    expect(second).toMatchObject({ objects: [{ key: 'list/d' }], token: undefined });
    const behind = await store.list({ bucket, prefix: 'list/', startAfter: 'list/b' }, signal);
    expect(behind.objects.map(({ key }) => key)).toEqual(['list/c', 'list/d']);
  });

  it('uploads in parts: nothing is to be seen before it is complete', async () => {
    const { bucket, keys, uploads } = buckets();
    const store = open();
    const upload = await store.createUpload({ bucket, key: 'parts', metadata: { by: 'test' } }, signal);
    const [one, two] = [randomBytes(5 * 1024 * 1024), randomBytes(1000)];
    const parts = [
      await store.uploadPart(upload, 1, one, signal),
      await store.uploadPart(upload, 2, two, signal),
    ];
    expect(await keys('parts')).toEqual([]);
    expect(await uploads('parts')).toEqual(['parts']);
    expect(await store.uploads({ bucket, prefix: 'parts' }, signal)).toEqual([upload]);
    const etag = await store.completeUpload(upload, parts, {}, signal);
    const read = await store.get({ bucket, key: 'parts' }, signal);
    expect(read).toMatchObject({ etag, size: one.length + two.length, metadata: { by: 'test' } });
    expect((await contentOf(read)).equals(Buffer.concat([one, two]))).toBe(true);
  });

  it('aborts an upload, also one that is not there any more', async () => {
    const { bucket, uploads } = buckets();
    const store = open();
    const upload = await store.createUpload({ bucket, key: 'aborted' }, signal);
    const part = await store.uploadPart(upload, 1, Buffer.from('part'), signal);
    await store.abortUpload(upload, signal);
    expect(await uploads('aborted')).toEqual([]);
    await store.abortUpload(upload, signal);
    await expect(store.completeUpload(upload, [part], {}, signal)).rejects.toMatchObject({
      code: 'SW_S3_UPLOAD_MISSING',
    });
  });

  it('writes only where there is none, and only over the one that is meant', async () => {
    const { bucket, read } = buckets();
    const store = open();
    const place = { bucket, key: 'conditional' };
    const bytes = (text: string): Buffer => Buffer.from(text);
    const etag = await store.put({ ...place, body: bytes('1'), ifNoneMatch: '*' }, signal);
    await expect(store.put({ ...place, body: bytes('2'), ifNoneMatch: '*' }, signal)).rejects.toMatchObject({
      code: 'SW_S3_OBJECT_EXISTS',
    });
    await store.put({ ...place, body: bytes('3'), ifMatch: etag }, signal);
    await expect(store.put({ ...place, body: bytes('4'), ifMatch: etag }, signal)).rejects.toMatchObject({
      code: 'SW_S3_OBJECT_CHANGED',
    });
    expect(String(await read('conditional'))).toBe('3');
    await expect(store.get({ ...place, ifMatch: etag }, signal)).rejects.toMatchObject({
      code: 'SW_S3_OBJECT_CHANGED',
    });
    const upload = await store.createUpload(place, signal);
    const parts = [await store.uploadPart(upload, 1, bytes('5'), signal)];
    await expect(store.completeUpload(upload, parts, { ifNoneMatch: '*' }, signal)).rejects.toMatchObject({
      code: 'SW_S3_OBJECT_EXISTS',
    });
    await store.abortUpload(upload, signal);
  });

  it('deletes, also what is not there, and tags', async () => {
    const { bucket, put, keys } = buckets();
    for (const key of ['gone/1', 'gone/2', 'gone/3', 'kept']) await put(key, key);
    const store = open();
    await store.tag({ bucket, key: 'kept' }, { state: 'read' }, signal);
    await store.delete(bucket, ['gone/1', 'gone/2', 'gone/none'], signal);
    await store.delete(bucket, ['gone/3'], signal);
    await store.delete(bucket, ['gone/3'], signal);
    expect(await keys('gone/')).toEqual([]);
  });

  it('leaves nothing at the signal of what is over', async () => {
    const { bucket, put } = buckets();
    await put('over', 'over');
    const store = open();
    const { signal } = new AbortController();
    const place = { bucket, key: 'over' };
    await store.head(place, signal);
    await contentOf(await store.get(place, signal));
    (await store.get(place, signal)).destroy();
    await store.put({ ...place, body: Buffer.from('over') }, signal);
    await expect(store.get({ bucket, key: 'none' }, signal)).rejects.toThrow();
    await expect.poll(() => listenersOf(signal)).toBe(0);
  });
}
