import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { S3Client } from '@aws-sdk/client-s3';
import { afterEach, expect, it, vi } from 'vitest';
import { freePort } from '../../../tools/services/free-port.ts';
import { patiently } from '../src/patience.ts';
import { useStores } from './opened.ts';
import { describeWithS3 } from './service.ts';

describeWithS3('Reaching a store', (buckets) => {
  const open = useStores();
  const { signal } = new AbortController();

  afterEach(() => void vi.unstubAllEnvs());

  it('where nothing listens: it may pass, and the message says where to look', async () => {
    const { bucket, reach } = buckets();
    const store = open({ ...reach, endpoint: `http://127.0.0.1:${await freePort()}` });
    await expect(store.list({ bucket, prefix: '' }, signal)).rejects.toMatchObject({
      code: 'SW_S3_UNREACHABLE',
      isTransient: true,
      message: expect.stringContaining('nothing listens at the endpoint'),
      cause: expect.objectContaining({ code: 'ECONNREFUSED' }),
    });
  });

  it('over TLS, where it speaks none', async () => {
    const { bucket, reach, service } = buckets();
    const store = open({ ...reach, endpoint: `https://127.0.0.1:${service.port}` });
    await expect(store.list({ bucket, prefix: '' }, signal)).rejects.toMatchObject({
      isTransient: false,
      message: expect.stringContaining('http://'),
    });
  });

  it('while it starts: tried again until it is there', async () => {
    const { bucket, reach, service, put } = buckets();
    const store = open(reach);
    await put('there', 'there');
    await service.crash();
    const listed = patiently(60_000, signal, () => store.list({ bucket, prefix: 'there' }, signal));
    await service.restart();
    expect((await listed).objects.map(({ key }) => key)).toEqual(['there']);
  });

  it('by a host that is not known', async () => {
    const { bucket, reach } = buckets();
    const store = open({ ...reach, endpoint: 'http://store.invalid:9000' });
    await expect(store.list({ bucket, prefix: '' }, signal)).rejects.toMatchObject({
      code: 'SW_S3_UNREACHABLE',
      isTransient: true,
    });
  });

  it('with the bucket in the name of the host, where it has to be in the path', async () => {
    const { bucket, service, reach } = buckets();
    const endpoint = `http://s3.invalid:${service.port}`;
    const store = open({ ...reach, endpoint, forcePathStyle: false });
    await expect(store.list({ bucket, prefix: '' }, signal)).rejects.toThrow(/forcePathStyle/);
  });

  it('and a bucket that is not there', async () => {
    const { reach } = buckets();
    const store = open(reach);
    const place = { bucket: 'there-is-none', key: 'k' };
    const unknown = { code: 'SW_S3_BUCKET_UNKNOWN', isTransient: false, bucket: 'there-is-none' };
    await expect(store.list({ ...place, prefix: '' }, signal)).rejects.toMatchObject(unknown);
    await expect(store.get(place, signal)).rejects.toMatchObject(unknown);
    await expect(store.put({ ...place, body: Buffer.from('') }, signal)).rejects.toMatchObject(unknown);
    await expect(store.createUpload(place, signal)).rejects.toMatchObject(unknown);
  });

  it('and a bucket of which the store only says that it is not there', async () => {
    const { bucket, faults, throughFaults } = buckets();
    const fault = { kind: 'error', status: 404, code: 'SomethingNew' } as const;
    faults.plan({ on: 'ListObjectsV2', fault });
    await expect(open(throughFaults).list({ bucket, prefix: '' }, signal)).rejects.toMatchObject({
      code: 'SW_S3_BUCKET_UNKNOWN',
    });
  });

  it('and a name that no bucket can have', async () => {
    await expect(
      open(buckets().reach).list({ bucket: 'No Bucket', prefix: '' }, signal),
    ).rejects.toMatchObject({ code: 'SW_S3_BUCKET_UNKNOWN', isTransient: false });
  });

  it('with a secret key that is not its own, or an access key that nobody has', async () => {
    const { bucket, reach, service } = buckets();
    for (const wrong of [{ secretAccessKey: 'not-this' }, { accessKeyId: 'nobody' }]) {
      const store = open({ ...reach, credentials: { ...service.credentials, ...wrong } });
      await expect(store.list({ bucket, prefix: '' }, signal)).rejects.toMatchObject({
        code: 'SW_S3_DENIED',
        isTransient: false,
      });
    }
  });

  it('with another region than that of the store', async ({ skip }) => {
    const { bucket, reach, service } = buckets();
    if (service.kind === 'minio') skip('MinIO takes any region.');
    const store = open({ ...reach, region: 'eu-north-1' });
    await expect(store.list({ bucket, prefix: '' }, signal)).rejects.toMatchObject({
      code: 'SW_S3_BUCKET_UNKNOWN',
      isTransient: false,
    });
  });

  it('with the keys that the SDK finds by itself', async () => {
    const { bucket, service } = buckets();
    vi.stubEnv('AWS_ACCESS_KEY_ID', service.credentials.accessKeyId);
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', service.credentials.secretAccessKey);
    expect(await open({ endpoint: service.endpoint }).head({ bucket, key: 'none' }, signal)).toBeUndefined();
  });

  it('without any keys: it says where they may be given', async () => {
    const { bucket, service } = buckets();
    const folder = mkdtempSync(path.join(tmpdir(), 'streamweld-s3-reach-'));
    try {
      writeFileSync(path.join(folder, 'none'), '');
      vi.stubEnv('AWS_CONFIG_FILE', path.join(folder, 'none'));
      vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', path.join(folder, 'none'));
      vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
      for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_PROFILE']) vi.stubEnv(name, '');
      await expect(
        open({ endpoint: service.endpoint }).list({ bucket, prefix: '' }, signal),
      ).rejects.toMatchObject({
        code: 'SW_S3_DENIED',
        isTransient: false,
        message: expect.stringContaining('AWS_ACCESS_KEY_ID'),
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('without a region: it says where one may be given', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'streamweld-s3-reach-'));
    try {
      writeFileSync(path.join(folder, 'none'), '');
      vi.stubEnv('AWS_CONFIG_FILE', path.join(folder, 'none'));
      for (const name of ['AWS_REGION', 'AWS_DEFAULT_REGION', 'AWS_PROFILE']) vi.stubEnv(name, undefined);
      const { bucket, service } = buckets();
      await expect(
        open({ credentials: service.credentials }).list({ bucket, prefix: '' }, signal),
      ).rejects.toMatchObject({ isTransient: false, message: expect.stringContaining('AWS_REGION') });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('by a function for the keys that fails: what it threw is the cause', async () => {
    const { bucket, reach } = buckets();
    const thrown = new Error('The vault is shut.');
    const credentials = () => Promise.reject(thrown);
    await expect(open({ ...reach, credentials }).list({ bucket, prefix: '' }, signal)).rejects.toMatchObject({
      code: 'SW_S3_DENIED',
      isTransient: true,
      cause: thrown,
    });
  });

  it('by a client of the user, which stays open', async () => {
    const { bucket, service } = buckets();
    const { endpoint, region, credentials } = service;
    const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
    const store = open({ client });
    await store.put({ bucket, key: 'by-client', body: Buffer.from('1') }, signal);
    store.close();
    await open({ client }).put({ bucket, key: 'by-client', body: Buffer.from('2') }, signal);
    client.destroy();
  });

  it('by a client of the user that fails in its own way: the cause is what it threw', async () => {
    const thrown = new TypeError('A wrapper broke.');
    const client = { send: () => Promise.reject(thrown), destroy() {}, config: {} } as never;
    await expect(open({ client }).head({ bucket: 'bucket', key: 'k' }, signal)).rejects.toMatchObject({
      code: 'SW_S3_FAILED',
      isTransient: false,
      cause: thrown,
    });
  });

  it('by a store of the user, which stays open', async () => {
    const { bucket, reach } = buckets();
    const given = open(reach);
    const close = vi.spyOn(given, 'close');
    const store = open({ client: given });
    await store.put({ bucket, key: 'by-store', body: Buffer.from('1') }, signal);
    expect(await store.head({ bucket, key: 'by-store' }, signal)).toMatchObject({ size: 1 });
    store.close();
    expect(close).not.toHaveBeenCalled();
  });

  it.each([
    ['WHEN_SUPPORTED', true],
    ['WHEN_REQUIRED', false],
  ] as const)(
    'sends checksums that nobody asked for, or not: %s',
    async (requestChecksumCalculation, has) => {
      const { bucket, faults, throughFaults, read } = buckets();
      const store = open({ ...throughFaults, requestChecksumCalculation });
      await store.put({ bucket, key: 'sum', body: Buffer.from('1') }, signal);
      const upload = await store.createUpload({ bucket, key: 'sums' }, signal);
      const part = await store.uploadPart(upload, 1, Buffer.from('2'), signal);
      await store.completeUpload(upload, [part], {}, signal);
      expect(String(await read('sums'))).toBe('2');
      const sums = faults.requests.map(({ operation, headers }) => [
        operation,
        'x-amz-checksum-crc32' in headers || 'x-amz-checksum-algorithm' in headers,
      ]);
      expect(sums).toEqual([
        ['PutObject', has],
        ['CreateMultipartUpload', has],
        ['UploadPart', has],
        ['CompleteMultipartUpload', false],
      ]);
    },
  );
});
