import { inspect } from 'node:util';
import { S3Client } from '@aws-sdk/client-s3';
import { describe, expect, it } from 'vitest';
import { checkReach, type ReachOptions } from '../src/options.ts';

const credentials = { accessKeyId: 'AKIA', secretAccessKey: 'hush' };
const check = (given: unknown) => checkReach(given as ReachOptions, 'bucket');

describe('checkReach', () => {
  it('leaves to the SDK what is not given', () => {
    expect(check({})).toEqual({
      client: undefined,
      config: { forcePathStyle: false },
      requestTimeoutMs: 30_000,
      stallMs: 30_000,
      retryMs: 120_000,
      name: 's3 bucket',
    });
  });

  it('takes a store at an endpoint for one that has the bucket in the path, and any region', () => {
    expect(check({ endpoint: 'http://localhost:9000' }).config).toEqual({
      endpoint: 'http://localhost:9000',
      region: 'us-east-1',
      forcePathStyle: true,
    });
    const given = { endpoint: 'https://s3.example', region: 'here', forcePathStyle: false };
    expect(check(given).config).toEqual(given);
  });

  it.each([
    { bucket: 'minio', endpoint: 'http://minio:9000' },
    { bucket: 'data', endpoint: 'https://data.store.example', forcePathStyle: true },
    { bucket: 's3', endpoint: 'https://store.example/s3/v1' },
    { bucket: '127', endpoint: 'http://127.0.0.1:9000' },
    { bucket: 'logs', endpoint: 'https://logs-2.s3.amazonaws.com' },
    { bucket: 'arn:aws:s3:eu-west-1:1:accesspoint/logs', region: 'eu-west-1' },
  ])('takes a store and a bucket of which neither is in the other: %o', (given) => {
    expect(check(given).config).toMatchObject({ forcePathStyle: given.endpoint !== undefined });
  });

  it.each([
    [{ endpoint: 'localhost:9000' }, /^endpoint must be the URL of a store/],
    [{ endpoint: 'ftp://localhost' }, /^endpoint must be/],
    [{ endpoint: 'http://user:hush@localhost' }, /^endpoint must be/],
    [{ endpoint: 'http://localhost/?X-Amz-Signature=hush' }, /^endpoint must be/],
    [{ endpoint: 9000 }, /^endpoint must be/],
    [
      { bucket: 'hush', endpoint: 'https://hush.s3.amazonaws.com' },
      /^endpoint must .* at the beginning of the host/,
    ],
    [
      { bucket: 'hush', endpoint: 'https://hush.s3.eu-west-1.amazonaws.com', forcePathStyle: true },
      /^endpoint must be the URL of the store without the bucket/,
    ],
    [{ bucket: 'hush', endpoint: 'https://hush.fra1.store.example' }, /forcePathStyle: true\.$/],
    [{ bucket: 'hush', endpoint: 'http://localhost:9000/hush' }, /^endpoint must .* at the end of the path/],
    [
      { bucket: 'hush', endpoint: 'https://store.example/s3/hush/' },
      /^endpoint must .* at the end of the path/,
    ],
    [{ bucket: 's3://hush' }, /^bucket must be the name of a bucket alone/],
    [{ bucket: 'hush/2026/' }, /^bucket must be the name of a bucket alone/],
    [{ region: '' }, /^region must be/],
    [{ forcePathStyle: 'yes' }, /^forcePathStyle must be true or false/],
    [{ requestChecksumCalculation: 'NEVER' }, /^requestChecksumCalculation must be 'WHEN_SUPPORTED' or/],
    [{ responseChecksumValidation: true }, /^responseChecksumValidation must be/],
    [{ requestTimeoutMs: 0 }, /^requestTimeoutMs must be a duration above 0/],
    [{ stallMs: 0 }, /^stallMs must be a duration above 0/],
    [{ stallMs: '30s' }, /^stallMs must be a duration/],
    [{ retryMs: -1 }, /^retryMs must be a duration/],
    [{ name: '' }, /^name must be/],
    [{ credentials: 'hush' }, /^credentials\.accessKeyId must be/],
    [{ credentials: {} }, /^credentials\.accessKeyId must be/],
    [{ credentials: { accessKeyId: 'AKIA' } }, /^credentials\.secretAccessKey must be .*, got undefined/],
    [
      { credentials: { ...credentials, secretAccessKey: '' } },
      /^credentials\.secretAccessKey must be .*, got ""/,
    ],
    [{ credentials: { ...credentials, sessionToken: 5 } }, /^credentials\.sessionToken must be a string/],
    [{ credentials: { ...credentials, expiration: 'soon' } }, /^credentials\.expiration must be a Date/],
    [{ client: { accessKeyId: 'hush' } }, /^client must be an S3Client/],
    [{ client: 'hush' }, /^client must be an S3Client/],
    [{ client: new S3Client({}), region: 'here' }, /^client must be given without region/],
    [{ client: new S3Client({}), credentials }, /^client must be given without credentials/],
  ])('refuses %o, and shows no value of it', (given, message) => {
    let error: unknown;
    try {
      check(given);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({ code: 'SW_OPTION_INVALID', message: expect.stringMatching(message) });
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('hush');
  });

  it.each([
    [{ accessKeyId: 'AKIA' }, /^credentials\.secretAccessKey must be/],
    [undefined, /^credentials\.accessKeyId must be/],
  ])('checks what a function for the keys answers: %o', async (answer, message) => {
    const { config } = check({ credentials: () => answer });
    await expect((config.credentials as () => Promise<unknown>)()).rejects.toThrow(message);
  });

  it('takes what a function for the keys answers, with the day on which it ends', async () => {
    const answer = { ...credentials, sessionToken: 'token', expiration: new Date(5) };
    const { config } = check({ credentials: async () => answer });
    expect(await (config.credentials as () => Promise<unknown>)()).toEqual(answer);
  });
});
