import { randomBytes } from 'node:crypto';
import { S3Client } from '@aws-sdk/client-s3';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { patiently } from '../src/patience.ts';
import { useStores } from './opened.ts';
import { describeWithS3 } from './service.ts';

describeWithS3('The answers of a store', (buckets) => {
  const open = useStores();
  const { signal } = new AbortController();
  const body = Buffer.from('content');
  const silent = { kind: 'before', run: () => new Promise(() => {}) } as const;

  it.each([
    [503, 'SlowDown', 'SW_S3_BUSY', true],
    [503, 'ServiceUnavailable', 'SW_S3_BUSY', true],
    [500, 'InternalError', 'SW_S3_BUSY', true],
    [502, 'SomethingNew', 'SW_S3_BUSY', true],
    [429, 'TooManyRequests', 'SW_S3_BUSY', true],
    [409, 'ConditionalRequestConflict', 'SW_S3_BUSY', true],
    [400, 'RequestTimeout', 'SW_S3_CONNECTION_LOST', true],
    [400, 'IncompleteBody', 'SW_S3_CONNECTION_LOST', true],
    [400, 'BadDigest', 'SW_S3_OBJECT_CORRUPT', true],
    [404, 'NoSuchBucket', 'SW_S3_BUCKET_UNKNOWN', false],
    [301, 'PermanentRedirect', 'SW_S3_BUCKET_UNKNOWN', false],
    [400, 'AuthorizationHeaderMalformed', 'SW_S3_BUCKET_UNKNOWN', false],
    [403, 'AccessDenied', 'SW_S3_DENIED', false],
    [403, 'InvalidAccessKeyId', 'SW_S3_DENIED', false],
    [403, 'SignatureDoesNotMatch', 'SW_S3_DENIED', false],
    [403, 'RequestTimeTooSkewed', 'SW_S3_DENIED', false],
    [400, 'ExpiredToken', 'SW_S3_DENIED', false],
    [412, 'PreconditionFailed', 'SW_S3_OBJECT_CHANGED', false],
    [400, 'KeyTooLongError', 'SW_S3_KEY_INVALID', false],
    [400, 'EntityTooLarge', 'SW_S3_FAILED', false],
    [501, 'NotImplemented', 'SW_S3_UNSUPPORTED', false],
    [405, 'MethodNotAllowed', 'SW_S3_UNSUPPORTED', false],
    [418, 'Teapot', 'SW_S3_FAILED', false],
  ] as const)('%i %s is %s', async (status, code, expected, isTransient) => {
    const { bucket, faults, throughFaults } = buckets();
    const planned = faults.plan({ on: 'PutObject', times: 2, fault: { kind: 'error', status, code } });
    await expect(open(throughFaults).put({ bucket, key: 'k', body }, signal)).rejects.toMatchObject({
      code: expected,
      isTransient,
      status,
      s3Error: code,
      bucket,
      key: 'k',
      message: expect.stringMatching(
        new RegExp(`^Could not write an object: .+ \\(bucket "${bucket}", key "k", ${code}\\)\\.$`),
      ),
    });
    expect(planned.met).toBeGreaterThanOrEqual(1);
  });

  it.each([
    [507, 'InsufficientStorage'],
    [507, 'XMinioStorageFull'],
    [403, 'QuotaExceeded'],
  ])('%i %s says that the store is full, and may pass', async (status, code) => {
    const { bucket, faults, throughFaults } = buckets();
    faults.plan({ on: 'PutObject', times: 2, fault: { kind: 'error', status, code } });
    await expect(open(throughFaults).put({ bucket, key: 'k', body }, signal)).rejects.toMatchObject({
      code: 'SW_S3_BUSY',
      isTransient: true,
      message: expect.stringContaining('the store is full'),
    });
  });

  it.each([
    [403, 'SW_S3_DENIED', false],
    [412, 'SW_S3_OBJECT_CHANGED', false],
    [301, 'SW_S3_BUCKET_UNKNOWN', false],
    [503, 'SW_S3_BUSY', true],
    [500, 'SW_S3_BUSY', true],
    [429, 'SW_S3_BUSY', true],
    [400, 'SW_S3_FAILED', false],
  ] as const)('%i without a word, as HEAD is answered, is %s', async (status, code, isTransient) => {
    const { bucket, faults, throughFaults } = buckets();
    faults.plan({ on: 'HeadObject', times: 2, fault: { kind: 'error', status, code: 'Unseen' } });
    await expect(open(throughFaults).head({ bucket, key: 'k' }, signal)).rejects.toMatchObject({
      code,
      isTransient,
      status,
      s3Error: undefined,
      message: expect.stringContaining(`status ${status}`),
    });
  });

  it('names the region where the bucket is', async () => {
    const { bucket, faults, throughFaults } = buckets();
    const headers = { 'x-amz-bucket-region': 'eu-west-7' };
    faults.plan({
      on: 'ListObjectsV2',
      fault: { kind: 'error', status: 301, code: 'PermanentRedirect', headers },
    });
    await expect(open(throughFaults).list({ bucket, prefix: '' }, signal)).rejects.toThrow(/eu-west-7/);
  });

  it('66: 503 for a while is outlasted', async () => {
    const { bucket, faults, throughFaults, read } = buckets();
    const busy = faults.plan({
      on: 'PutObject',
      times: 4,
      fault: { kind: 'error', status: 503, code: 'SlowDown' },
    });
    const store = open(throughFaults);
    await patiently(60_000, signal, () => store.put({ bucket, key: 'later', body }, signal));
    expect(busy.met).toBe(4);
    expect(String(await read('later'))).toBe('content');
  });

  it('an answer that is lost may be of something that was done: a new object is there then', async () => {
    const { bucket, faults, throughFaults } = buckets();
    faults.plan({ on: 'PutObject', fault: { kind: 'loseAnswer' } });
    const store = open(throughFaults);
    const put = { bucket, key: 'lost-put', body, ifNoneMatch: '*' } as const;
    await expect(store.put(put, signal)).rejects.toMatchObject({
      code: 'SW_S3_CONNECTION_LOST',
      isTransient: true,
    });
    await expect(store.put(put, signal)).rejects.toMatchObject({ code: 'SW_S3_OBJECT_EXISTS' });
  });

  describe('to the completion of an upload', () => {
    async function complete(
      key: string,
    ): Promise<{ again: () => Promise<string>; outcome: Promise<string> }> {
      const { bucket, throughFaults } = buckets();
      const store = open(throughFaults);
      const upload = await store.createUpload({ bucket, key }, signal);
      const part = await store.uploadPart(upload, 1, body, signal);
      const again = (): Promise<string> => store.completeUpload(upload, [part], {}, signal);
      const outcome = again();
      outcome.catch(() => {});
      return { again, outcome };
    }

    it.each(['InternalError', 'SlowDown', 'SomethingNew'])(
      '72: may be an error inside a success: %s',
      async (code) => {
        const { faults, keys, read } = buckets();
        const planned = faults.plan({
          on: 'CompleteMultipartUpload',
          fault: { kind: 'error', status: 200, code },
        });
        const { outcome, again } = await complete(`inside-${code}`);
        await expect(outcome).rejects.toMatchObject({ code: 'SW_S3_BUSY', isTransient: true });
        expect(planned.met).toBe(1);
        expect(await keys(`inside-${code}`)).toEqual([]);
        await again();
        expect(String(await read(`inside-${code}`))).toBe('content');
      },
    );

    it('may be a success that is cut', async () => {
      const { faults } = buckets();
      faults.plan({ on: 'CompleteMultipartUpload', fault: { kind: 'cutBody', at: 60 } });
      await expect((await complete('cut')).outcome).rejects.toMatchObject({
        code: 'SW_S3_CONNECTION_LOST',
        isTransient: true,
      });
    });

    it('73: may be lost: the object is there, and a store that has forgotten the upload says so', async () => {
      const { faults, read } = buckets();
      const lost = faults.plan({ on: 'CompleteMultipartUpload', fault: { kind: 'loseAnswer' } });
      const forgotten = faults.plan({
        on: 'CompleteMultipartUpload',
        fault: { kind: 'error', status: 404, code: 'NoSuchUpload' },
      });
      const { outcome, again } = await complete('lost');
      await expect(outcome).rejects.toMatchObject({ code: 'SW_S3_CONNECTION_LOST', isTransient: true });
      expect(String(await read('lost'))).toBe('content');
      await expect(again()).rejects.toMatchObject({ code: 'SW_S3_UPLOAD_MISSING', isTransient: false });
      expect([lost.met, forgotten.met]).toEqual([1, 1]);
    });
  });

  it.each(['one', 'many'])('to a deletion may be an error inside a success (%s)', async (how) => {
    const { bucket, faults, throughFaults, put, keys } = buckets();
    for (const key of ['del/1', 'del/2']) await put(key, key);
    faults.plan({
      on: (request) => request.operation.startsWith('DeleteObject'),
      fault: { kind: 'error', status: 503, code: 'SlowDown' },
    });
    const names = how === 'one' ? ['del/1'] : ['del/1', 'del/2'];
    const store = open(throughFaults);
    await expect(store.delete(bucket, names, signal)).rejects.toMatchObject({ code: 'SW_S3_BUSY' });
    await store.delete(bucket, names, signal);
    expect(await keys('del/')).toEqual(how === 'one' ? ['del/2'] : []);
  });

  it('may not come: a request takes requestTimeoutMs at the most', async () => {
    const { bucket, faults, throughFaults } = buckets();
    faults.plan({ on: 'ListObjectsV2', fault: silent });
    const store = open({ ...throughFaults, requestTimeoutMs: 200 });
    await expect(store.list({ bucket, prefix: '' }, signal)).rejects.toMatchObject({
      code: 'SW_S3_CONNECTION_LOST',
      isTransient: true,
      message: expect.stringContaining('the store did not answer in time'),
    });
  });

  it('may not come: an abort ends the wait with its reason', async () => {
    const { bucket, faults, throughFaults } = buckets();
    faults.plan({ on: () => true, times: 3, fault: silent });
    const store = open(throughFaults);
    const abort = new AbortController();
    const waiting = [
      store.list({ bucket, prefix: '' }, abort.signal),
      store.get({ bucket, key: 'k' }, abort.signal),
      store.put({ bucket, key: 'k', body: randomBytes(1_000_000) }, abort.signal),
    ];
    for (const each of waiting) each.catch(() => {});
    await expect.poll(() => faults.requests.length).toBe(3);
    const reason = new Error('enough');
    abort.abort(reason);
    for (const each of waiting) await expect(each).rejects.toBe(reason);
    await expect(store.list({ bucket, prefix: '' }, abort.signal)).rejects.toBe(reason);
    expect(faults.requests.length).toBe(3);
  });

  it('a part with a damaged byte on its way is refused, and may be sent again', async () => {
    const { bucket, faults, throughFaults } = buckets();
    faults.plan({ on: 'UploadPart', fault: { kind: 'error', status: 400, code: 'BadDigest' } });
    const store = open(throughFaults);
    const upload = await store.createUpload({ bucket, key: 'damaged' }, signal);
    const send = () => store.uploadPart(upload, 1, body, signal);
    await expect(send()).rejects.toMatchObject({ code: 'SW_S3_OBJECT_CORRUPT', isTransient: true });
    const part = await send();
    await store.completeUpload(upload, [part], {}, signal);
  });

  describe('to keys and clocks', () => {
    afterEach(() => void vi.useRealTimers());

    const expired = { kind: 'error', status: 400, code: 'ExpiredToken' } as const;

    it('76: that they expired: new ones are asked for once, also by many requests together', async () => {
      const { bucket, faults, throughFaults, service } = buckets();
      const seen = new Set<string>();
      const isFirst = ({ key }: { key: string }): boolean => seen.size < seen.add(key).size;
      const planned = faults.plan({ on: isFirst, times: 5, fault: expired });
      const credentials = vi.fn(async () => service.credentials);
      const store = open({ ...throughFaults, credentials });
      const puts = [1, 2, 3, 4, 5].map((at) => store.put({ bucket, key: `key-${at}`, body }, signal));
      await Promise.all(puts);
      expect(planned.met).toBe(5);
      expect(credentials).toHaveBeenCalledTimes(2);
    });

    it('76: that they expired, again and again: it is told, and not tried for ever', async () => {
      const { bucket, faults, throughFaults, service } = buckets();
      const planned = faults.plan({ on: 'PutObject', times: 100, fault: expired });
      const credentials = vi.fn(async () => service.credentials);
      const store = open({ ...throughFaults, credentials });
      const put = () => store.put({ bucket, key: 'k', body }, signal);
      await expect(patiently(120_000, signal, put)).rejects.toThrow(
        /^Could not write an object: the credentials have expired, and asking for new ones gave none that are valid\. .* \(.*ExpiredToken\)\.$/,
      );
      expect([planned.met, credentials.mock.calls.length]).toEqual([2, 2]);
    });

    it('76: that they expired, without a word to HEAD: new ones are asked for as well', async () => {
      const { bucket, faults, throughFaults, service } = buckets();
      faults.plan({ on: 'HeadObject', fault: expired });
      const credentials = vi.fn(async () => service.credentials);
      expect(
        await open({ ...throughFaults, credentials }).head({ bucket, key: 'no' }, signal),
      ).toBeUndefined();
      expect(credentials).toHaveBeenCalledTimes(2);
    });

    it('76: that the clock is 20 minutes wrong: the next request has the store’s time', async () => {
      const { bucket, reach, read } = buckets();
      vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - 20 * 60_000 });
      await open(reach).put({ bucket, key: 'clock', body }, signal);
      expect(String(await read('clock'))).toBe('content');
    });

    it('76: that the clock is wrong, where the client is not to heed it: it is told', async () => {
      const { bucket, service } = buckets();
      const { endpoint, region, credentials } = service;
      const client = new S3Client({
        ...{ endpoint, region, credentials, forcePathStyle: true, maxAttempts: 1 },
        disableClockSkewCorrection: true,
      });
      vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - 20 * 60_000 });
      await expect(open({ client }).put({ bucket, key: 'clock', body }, signal)).rejects.toMatchObject({
        code: 'SW_S3_DENIED',
        message: expect.stringContaining('the clock of this machine'),
      });
      client.destroy();
    });
  });
});
