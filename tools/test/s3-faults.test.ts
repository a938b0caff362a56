import { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type S3Faults, openS3Faults } from '../services/s3-faults.ts';
import { S3Unavailable, type S3Service, findS3 } from '../services/s3.ts';

const found = await findS3({ from: ['versitygw', 'minio'] });
const unavailable = found instanceof S3Unavailable ? found.message : undefined;
if (unavailable !== undefined) console.warn(`Skipped: faults of S3. ${unavailable}`);

describe.skipIf(unavailable !== undefined)(
  `faults of S3${unavailable === undefined ? '' : ` (${unavailable})`}`,
  () => {
    const service = found as S3Service;
    const clients: S3Client[] = [];
    let faults: S3Faults;
    let direct: S3Client;

    beforeAll(async () => {
      faults = await openS3Faults({ port: service.port });
      direct = open({ endpoint: service.endpoint });
      clients.pop();
      await direct.send(new CreateBucketCommand({ Bucket: 'faults' }));
    });

    afterEach(() => {
      for (const client of clients.splice(0)) client.destroy();
      faults.clear();
    });

    afterAll(async () => {
      direct?.destroy();
      await faults?.close();
      await service.stop();
    });

    function open(options: S3ClientConfig = {}): S3Client {
      const { region, credentials } = service;
      const client = new S3Client({
        endpoint: faults.endpoint,
        region,
        credentials,
        forcePathStyle: true,
        maxAttempts: 1,
        ...options,
      });
      // What is thrown is what counts; a body that breaks is looked at by who reads it.
      clients.push(client);
      return client;
    }

    const Bucket = 'faults';

    async function put(Key: string, Body: string | Buffer): Promise<void> {
      await direct.send(new PutObjectCommand({ Bucket, Key, Body }));
    }

    /** What comes of a body, and what ended it. */
    async function read(client: S3Client, Key: string): Promise<{ bytes: Buffer; error: Error | undefined }> {
      const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }));
      const chunks: Buffer[] = [];
      try {
        for await (const chunk of Body as Readable) chunks.push(chunk as Buffer);
        return { bytes: Buffer.concat(chunks), error: undefined };
      } catch (error) {
        return { bytes: Buffer.concat(chunks), error: error as Error };
      }
    }

    const operations = () => faults.requests.map(({ operation }) => operation);

    const BODY = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index % 251));

    it('let through what is not planned for, whatever the key and the size', async () => {
      const client = open();
      // MinIO takes no name that leads upwards.
      const upwards = service.kind === 'minio' ? [] : ['../up'];
      const keys = ['a b', 'ä/ö?&=+', ...upwards, 'end/', 'long'.repeat(60)];
      for (const key of keys) {
        // One that ends like a folder has nothing in it, on servers that keep objects as files.
        const body = key.endsWith('/') ? '' : key;
        await client.send(new PutObjectCommand({ Bucket, Key: `odd/${key}`, Body: body }));
        expect((await read(client, `odd/${key}`)).bytes.toString()).toBe(body);
      }
      expect(
        faults.requests.filter(({ operation }) => operation === 'PutObject').map(({ key }) => key),
      ).toEqual(keys.map((key) => `odd/${key}`));
      // So large that the client waits to be told to go on.
      const large = Buffer.alloc(5 << 20, 7);
      await client.send(new PutObjectCommand({ Bucket, Key: 'large', Body: large }));
      expect((await read(client, 'large')).bytes.equals(large)).toBe(true);
    });

    it.each([
      [503, 'SlowDown'],
      [500, 'InternalError'],
      [429, 'TooManyRequests'],
      [403, 'ExpiredToken'],
    ])('answer %d as often as planned, and then no more', async (status, code) => {
      await put('a', 'there');
      const fault = faults.plan({
        on: 'GetObject',
        after: 1,
        times: 2,
        fault: { kind: 'error', status, code },
      });
      const client = open();
      expect((await read(client, 'a')).bytes.toString()).toBe('there');
      for (let time = 1; time <= 2; time++) {
        await expect(read(client, 'a')).rejects.toMatchObject({
          name: code,
          $metadata: { httpStatusCode: status },
        });
        expect(fault.met).toBe(time);
      }
      expect((await read(client, 'a')).bytes.toString()).toBe('there');
      expect(fault.met).toBe(2);
    });

    it('answer a question without a body, and one whose body is long', async () => {
      const client = open();
      const error = { kind: 'error', status: 503, code: 'SlowDown' } as const;
      faults.plan({ on: 'HeadObject', fault: error });
      await expect(client.send(new HeadObjectCommand({ Bucket, Key: 'a' }))).rejects.toMatchObject({
        $metadata: { httpStatusCode: 503 },
      });
      faults.plan({ on: ({ key }) => key === 'long', fault: error });
      const long = new PutObjectCommand({ Bucket, Key: 'long', Body: Buffer.alloc(3 << 20) });
      await expect(client.send(long)).rejects.toMatchObject({ name: 'SlowDown' });
      await expect(direct.send(new HeadObjectCommand({ Bucket, Key: 'long' }))).rejects.toMatchObject({
        name: 'NotFound',
      });
    });

    it.each([0, 1, 100_000, 299_999])('cut a body at byte %d', async (at) => {
      await put('cut', BODY);
      const fault = faults.plan({ on: 'GetObject', fault: { kind: 'cutBody', at } });
      const client = open();
      const { bytes, error } = await read(client, 'cut');
      expect(error).toBeDefined();
      expect(bytes.equals(BODY.subarray(0, at))).toBe(true);
      expect(fault.met).toBe(1);
      expect((await read(client, 'cut')).bytes.equals(BODY)).toBe(true);
    });

    it('stall a body until the client has had enough', async () => {
      await put('stalled', BODY);
      faults.plan({ on: 'GetObject', fault: { kind: 'stallBody', at: 100_000 } });
      const { Body } = await open().send(new GetObjectCommand({ Bucket, Key: 'stalled' }));
      const body = Body as Readable;
      let bytes = 0;
      let isOver = false;
      body.on('data', (chunk: Buffer) => (bytes += chunk.length));
      body.on('error', () => {});
      body.on('close', () => (isOver = true));
      await expect.poll(() => bytes).toBe(100_000);
      await new Promise((resolve) => setTimeout(resolve, 200));
      expect([bytes, isOver]).toEqual([100_000, false]);
      body.destroy();
      await expect.poll(() => isOver).toBe(true);
    });

    it('flip one bit, which a checksum tells', async () => {
      await put('flipped', BODY);
      const fault = { on: 'GetObject', fault: { kind: 'flipByte', at: 123_456 } } as const;
      faults.plan(fault);
      const { bytes, error } = await read(open({ responseChecksumValidation: 'WHEN_REQUIRED' }), 'flipped');
      expect(error).toBeUndefined();
      expect([...bytes.entries()].filter(([index, byte]) => byte !== BODY[index])).toEqual([
        [123_456, (BODY[123_456] as number) ^ 1],
      ]);
      faults.plan(fault);
      const checked = await read(open(), 'flipped');
      expect(checked.error?.message).toMatch(/[Cc]hecksum mismatch/);
    });

    it('do something between two requests: an object is another one', async () => {
      await put('replaced', 'first');
      faults.plan({
        on: ({ headers }) => headers.range === 'bytes=2-3',
        fault: { kind: 'before', run: () => put('replaced', 'other') },
      });
      const client = open();
      const range = (Range: string, IfMatch?: string) =>
        client.send(new GetObjectCommand({ Bucket, Key: 'replaced', Range, IfMatch }));
      const first = await range('bytes=0-1');
      expect(await first.Body?.transformToString()).toBe('fi');
      await expect(range('bytes=2-3', first.ETag)).rejects.toMatchObject({ name: 'PreconditionFailed' });
    });

    it('fail the second page of a list', async () => {
      for (const key of ['1', '2', '3']) await put(`page/${key}`, key);
      faults.plan({
        on: 'ListObjectsV2',
        after: 1,
        fault: { kind: 'error', status: 500, code: 'InternalError' },
      });
      const client = open();
      const page = (ContinuationToken?: string) =>
        client.send(new ListObjectsV2Command({ Bucket, Prefix: 'page/', MaxKeys: 2, ContinuationToken }));
      const first = await page();
      expect(first.Contents?.map(({ Key }) => Key)).toEqual(['page/1', 'page/2']);
      await expect(page(first.NextContinuationToken)).rejects.toMatchObject({ name: 'InternalError' });
      expect((await page(first.NextContinuationToken)).Contents?.map(({ Key }) => Key)).toEqual(['page/3']);
    });

    describe('at the end of an upload', () => {
      async function upload(client: S3Client, Key: string) {
        const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key }));
        const part = { Bucket, Key, UploadId, PartNumber: 1 };
        const { ETag } = await client.send(new UploadPartCommand({ ...part, Body: 'whole' }));
        const MultipartUpload = { Parts: [{ PartNumber: 1, ETag }] };
        const complete = new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload });
        return { complete, abort: new AbortMultipartUploadCommand({ Bucket, Key, UploadId }) };
      }

      it('put an error into a success', async () => {
        const fault = faults.plan({
          on: 'CompleteMultipartUpload',
          fault: { kind: 'error', status: 200, code: 'InternalError' },
        });
        const client = open();
        const { complete } = await upload(client, 'success');
        await expect(client.send(complete)).rejects.toMatchObject({ name: 'InternalError' });
        await expect(direct.send(new HeadObjectCommand({ Bucket, Key: 'success' }))).rejects.toThrow();
        expect(fault.met).toBe(1);
        await client.send(complete);
        expect((await read(client, 'success')).bytes.toString()).toBe('whole');
      });

      it('lose the answer, and what was asked for is done', async () => {
        faults.plan({ on: 'CompleteMultipartUpload', fault: { kind: 'loseAnswer' } });
        const client = open();
        const { complete } = await upload(client, 'lost');
        await expect(client.send(complete)).rejects.toThrow();
        expect((await read(direct, 'lost')).bytes.toString()).toBe('whole');
        expect(operations()).toEqual(['CreateMultipartUpload', 'UploadPart', 'CompleteMultipartUpload']);
      });

      it('lose the answer, and know nothing of the upload when it is asked again', async () => {
        faults.plan({ on: 'CompleteMultipartUpload', fault: { kind: 'loseAnswer' } });
        faults.plan({
          on: 'CompleteMultipartUpload',
          fault: { kind: 'error', status: 404, code: 'NoSuchUpload' },
        });
        const client = open({ maxAttempts: 3 });
        const { complete } = await upload(client, 'forgotten');
        await expect(client.send(complete)).rejects.toMatchObject({
          name: 'NoSuchUpload',
          $metadata: { attempts: 2 },
        });
        expect((await read(direct, 'forgotten')).bytes.toString()).toBe('whole');
      });

      it('end the connection, and the server has not heard of it', async () => {
        faults.plan({ on: 'CompleteMultipartUpload', fault: { kind: 'reset' } });
        const client = open();
        const { complete, abort } = await upload(client, 'reset');
        await expect(client.send(complete)).rejects.toThrow();
        await expect(direct.send(new HeadObjectCommand({ Bucket, Key: 'reset' }))).rejects.toThrow();
        await client.send(abort);
        expect(operations().at(-1)).toBe('AbortMultipartUpload');
      });
    });

    it('tell another time than it is, and the client corrects its clock', async () => {
      await put('late', 'there');
      const hour = 3_600_000;
      faults.plan({
        on: 'GetObject',
        fault: {
          kind: 'error',
          status: 403,
          code: 'RequestTimeTooSkewed',
          headers: { date: new Date(Date.now() + hour).toUTCString() },
        },
      });
      // By then it is an hour off indeed, and the server itself says so.
      const error = { name: 'RequestTimeTooSkewed' };
      await expect(read(open({ maxAttempts: 2 }), 'late')).rejects.toMatchObject(error);
      const [first, second] = faults.requests.map(({ headers }) =>
        Date.parse(String(headers['x-amz-date']).replace(/^(....)(..)(..T..)(..)(..Z)$/, '$1-$2-$3:$4:$5')),
      );
      expect((second as number) - (first as number)).toBeGreaterThan(hour - 60_000);
    });

    it('do not hide that the server has gone', async () => {
      await put('gone', 'there');
      faults.plan({ on: 'GetObject', fault: { kind: 'before', run: () => service.crash() } });
      const client = open();
      await expect(read(client, 'gone')).rejects.toThrow();
      await service.restart();
      expect((await read(client, 'gone')).bytes.toString()).toBe('there');
    });

    it('are over when they are closed', async () => {
      const others = await openS3Faults({ port: service.port });
      const { endpoint } = others;
      await put('a', BODY);
      expect((await read(open({ endpoint }), 'a')).bytes.equals(BODY)).toBe(true);
      // Also one that would never come to its end.
      const stalled = others.plan({ on: 'GetObject', fault: { kind: 'stallBody', at: 1 } });
      const reading = read(open({ endpoint }), 'a');
      await expect.poll(() => stalled.met).toBe(1);
      await others.close();
      // Before its answer began, or in the middle of it.
      await expect(reading.then(({ error }) => Promise.reject(error))).rejects.toThrow();
      await expect(read(open({ endpoint }), 'a')).rejects.toThrow('ECONNREFUSED');
    });
  },
);
