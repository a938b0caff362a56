import { once } from 'node:events';
import { Readable } from 'node:stream';
import { expect, it } from 'vitest';
import { SdkBody } from '../src/client-sdk-body.ts';

const translation = { stage: 'orders', action: 'read an object', bucket: 'orders', key: 'a' };
const { signal } = new AbortController();

it('says so of a body whose connection was lost before anybody had it, as where a client thinks over an answer', async () => {
  const stream = new Readable({ read() {} });
  stream.destroy();
  await once(stream, 'close');
  const body = new SdkBody(stream, { ...translation, size: 3, stallMs: 1000, signal });
  await expect(body.next()).rejects.toMatchObject({ code: 'SW_S3_CONNECTION_LOST', isTransient: true });
});

it('gives back a body that comes when its signal has aborted', async () => {
  const stream = new Readable({ read() {} });
  const body = new SdkBody(stream, {
    ...translation,
    size: 3,
    stallMs: 1000,
    signal: AbortSignal.abort('over'),
  });
  await expect(body.next()).rejects.toBe('over');
  expect(stream.destroyed).toBe(true);
});
