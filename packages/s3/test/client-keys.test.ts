import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { contentOf, useStores } from './opened.ts';
import { describeWithS3 } from './service.ts';

/** What a URL, a form or XML may make something else of. */
const ODD = [
  ' leading and trailing ',
  'a+b%20c%2F',
  'query?x=1&y#z',
  '<&>"\'',
  'line\nbreak',
  'carriage\rreturn',
  'tab\t',
  'e\u0301 \u00e9 \u2028',
  '日本/😀',
  '(*)!~',
];

describeWithS3('A store of an S3Client with odd keys', (buckets) => {
  const open = useStores();
  const { signal } = new AbortController();

  it.each(ODD)('writes, looks at, reads, lists and deletes %j', async (name) => {
    const { bucket, reach, keys } = buckets();
    const store = open(reach);
    const key = `one/${name}`;
    await store.put({ bucket, key, body: Buffer.from(name) }, signal);
    expect(await keys('one/')).toEqual([key]);
    expect(await store.head({ bucket, key }, signal)).toMatchObject({ size: Buffer.byteLength(name) });
    expect(String(await contentOf(await store.get({ bucket, key }, signal)))).toBe(name);
    const { objects } = await store.list({ bucket, prefix: key }, signal);
    expect(objects.map((each) => each.key)).toEqual([key]);
    await store.tag({ bucket, key }, { 'a b:c': 'd/e=f @' }, signal);
    await store.delete(bucket, [key], signal);
    expect(await keys('one/')).toEqual([]);
  });

  it('deletes them at once', async () => {
    const { bucket, reach, put, keys } = buckets();
    const all = ODD.map((name) => `many/${name}`);
    for (const key of all) await put(key, key);
    await put('many/kept', 'kept');
    await open(reach).delete(bucket, all, signal);
    expect(await keys('many/')).toEqual(['many/kept']);
  });

  it('deletes more than one request can', async () => {
    const { bucket, reach, faults, throughFaults, keys } = buckets();
    const store = open(reach);
    const all = Array.from({ length: 1001 }, (_, at) => `thousand/${at}`);
    for (const key of all.filter((_, at) => at % 100 === 0))
      await store.put({ bucket, key, body: Buffer.from(key) }, signal);
    await open(throughFaults).delete(bucket, all, signal);
    expect(await keys('thousand/')).toEqual([]);
    expect(faults.requests.map(({ operation }) => operation)).toEqual(['DeleteObjects', 'DeleteObjects']);
  });

  it('finds the uploads that are open', async () => {
    const { bucket, reach, service } = buckets();
    const store = open(reach);
    const begun = [];
    for (const name of ODD) begun.push(await store.createUpload({ bucket, key: `open/${name}` }, signal));
    for (const upload of begun)
      expect(await store.uploads({ bucket, prefix: upload.key }, signal)).toEqual([upload]);
    // MinIO knows them by the whole of their key alone.
    if (service.kind !== 'minio') {
      const found = await store.uploads({ bucket, prefix: 'open/' }, signal);
      expect(found.map(({ key }) => key).toSorted()).toEqual(begun.map(({ key }) => key).toSorted());
    }
    for (const upload of begun) await store.abortUpload(upload, signal);
    for (const { key } of begun) expect(await store.uploads({ bucket, prefix: key }, signal)).toEqual([]);
  });

  it('is refused one that the store cannot keep, by a code that says so', async () => {
    const { bucket, reach, service } = buckets();
    const store = open(reach);
    const put = (key: string) => store.put({ bucket, key, body: Buffer.from('x') }, signal);
    await put('file');
    const ofFiles = service.kind === 'versitygw' ? ['file/below', 'n'.repeat(300)] : [];
    for (const key of ['k'.repeat(1025), ...ofFiles])
      await expect(put(key)).rejects.toMatchObject({ code: 'SW_S3_KEY_INVALID', isTransient: false });
  });
});

describe('A store of an S3Client', () => {
  const open = useStores();
  const { signal } = new AbortController();

  /** Answers each request with this. */
  async function answering(
    body: string,
    etag?: string,
  ): Promise<AsyncDisposable & { endpoint: string; asked: string[] }> {
    const asked: string[] = [];
    const server = http.createServer((request, answer) => {
      asked.push(`${request.method} ${request.url?.split('?')[0]}`);
      request.resume().once('end', () => answer.writeHead(200, etag === undefined ? {} : { etag }).end(body));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return {
      asked,
      endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      async [Symbol.asyncDispose]() {
        server.closeAllConnections();
        server.close();
        await once(server, 'close');
      },
    };
  }

  const credentials = { accessKeyId: 'nobody', secretAccessKey: 'nothing' };

  it('tells the first key that could not be deleted, and why', async () => {
    await using server = await answering(`<DeleteResult>
      <Error><Key>a</Key><Code>NoSuchKey</Code></Error>
      <Error><Key>b</Key><Code>AccessDenied</Code><Message>hush</Message></Error></DeleteResult>`);
    const { endpoint } = server;
    await expect(open({ endpoint, credentials }).delete('bucket', ['a', 'b'], signal)).rejects.toMatchObject({
      code: 'SW_S3_DENIED',
      key: 'b',
      s3Error: 'AccessDenied',
      isTransient: false,
    });
  });

  it('deletes by themselves those that no list of keys can hold', async () => {
    await using server = await answering('<DeleteResult/>');
    const { endpoint, asked } = server;
    await open({ endpoint, credentials }).delete('bucket', ['a', 'b\u0001', 'c'], signal);
    expect(asked).toEqual(['POST /bucket/', 'DELETE /bucket/b%01']);
  });

  it('reads what a store sends without saying how much it is', async () => {
    await using server = await answering('some bytes', '"etag"');
    const { endpoint } = server;
    const body = await open({ endpoint, credentials }).get({ bucket: 'bucket', key: 'k' }, signal);
    expect(String(await contentOf(body))).toBe('some bytes');
  });

  it('takes a plus in a listing that is encoded for a space, as some stores write it', async () => {
    await using server = await answering(`<ListBucketResult><EncodingType>url</EncodingType>
      <Contents><Key>a+b%2Bc%20d</Key><Size>5</Size><ETag>"abc"</ETag></Contents></ListBucketResult>`);
    const { endpoint } = server;
    const { objects } = await open({ endpoint, credentials }).list({ bucket: 'bucket', prefix: '' }, signal);
    expect(objects).toEqual([{ key: 'a b+c d', size: 5, etag: '"abc"' }]);
  });

  it('takes keys of a listing as they are, where the store does not encode them', async () => {
    await using server = await answering(`<ListBucketResult><IsTruncated>false</IsTruncated>
      <Contents><Key>a+b%20c</Key><Size>5</Size><ETag>abc</ETag></Contents></ListBucketResult>`);
    const { endpoint } = server;
    expect(await open({ endpoint, credentials }).list({ bucket: 'bucket', prefix: '' }, signal)).toEqual({
      objects: [{ key: 'a+b%20c', size: 5, etag: '"abc"' }],
      token: undefined,
    });
  });

  it.each([
    ['list', '<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>', 'SW_S3_CONNECTION_LOST'],
    [
      'uploads',
      '<ListMultipartUploadsResult><IsTruncated>true</IsTruncated></ListMultipartUploadsResult>',
      'SW_S3_CONNECTION_LOST',
    ],
    ['list', '<html>Log in, please.</html>', 'SW_S3_CONNECTION_LOST'],
    ['list', '<html><br>Log in, please.', 'SW_S3_BUSY'],
    ['list', '', 'SW_S3_CONNECTION_LOST'],
    ['uploads', '<html>Log in, please.</html>', 'SW_S3_CONNECTION_LOST'],
    ['head', '', 'SW_S3_CONNECTION_LOST'],
    ['get', '<html>Log in, please.</html>', 'SW_S3_CONNECTION_LOST'],
    ['put', '', 'SW_S3_CONNECTION_LOST'],
    ['createUpload', '<InitiateMultipartUploadResult/>', 'SW_S3_CONNECTION_LOST'],
    ['completeUpload', '<CompleteMultipartUploadResult/>', 'SW_S3_CONNECTION_LOST'],
    ['completeUpload', '', 'SW_S3_BUSY'],
  ] as const)(
    'takes no success for one that lacks what it has to have: %s, %j',
    async (name, answer, code) => {
      await using server = await answering(answer);
      const { endpoint } = server;
      const store = open({ endpoint, credentials });
      const place = { bucket: 'bucket', key: 'k' };
      const upload = { ...place, uploadId: 'u' };
      const calls = {
        list: () => store.list({ ...place, prefix: '' }, signal),
        uploads: () => store.uploads({ ...place, prefix: '' }, signal),
        head: () => store.head(place, signal),
        get: () => store.get(place, signal),
        put: () => store.put({ ...place, body: Buffer.from('b') }, signal),
        createUpload: () => store.createUpload(place, signal),
        completeUpload: () => store.completeUpload(upload, [], {}, signal),
      };
      await expect(calls[name]()).rejects.toMatchObject({ code, isTransient: true });
    },
  );
});
