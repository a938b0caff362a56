import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { collect, ConcurrentPipeline } from '@streamweld/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { S3Store } from '../src/client.ts';
import { S3Sink, S3Source } from '../src/index.ts';
import { useStores } from './opened.ts';

const credentials = {
  accessKeyId: 'AKIAEXAMPLE',
  secretAccessKey: 'the-secret-key-that-nobody-is-to-see',
  sessionToken: 'the-session-token-that-nobody-is-to-see',
};
/** What signs a request, in its headers or in the query of a URL. */
const SIGNED = /nobody-is-to-see|Signature=|AWS4-HMAC-SHA256|X-Amz-Credential/i;

/** A store that quotes all of the request that it refuses, and sends on to a URL that is a key by itself. */
function refuse(request: IncomingMessage, answer: ServerResponse): void {
  const quoted = [request.url, ...request.rawHeaders].join('\n').replaceAll('&', '&amp;');
  const signed = `http://elsewhere/k?X-Amz-Credential=c&X-Amz-Signature=${credentials.secretAccessKey}`;
  request.resume().once('end', () => {
    answer.writeHead(Number(/status-(\d+)/.exec(request.url ?? '')?.[1] ?? 403), {
      location: signed,
      'x-amz-bucket-region': credentials.sessionToken,
    });
    answer.end(`<?xml version="1.0"?><Error><Code>SignatureDoesNotMatch ${credentials.sessionToken}</Code>
<Message>${quoted}</Message><CanonicalRequest>${quoted}</CanonicalRequest><StringToSign>${quoted}</StringToSign>
<Endpoint>${signed.replaceAll('&', '&amp;')}</Endpoint></Error>`);
  });
}

describe('Secrets', () => {
  const open = useStores();
  const { signal } = new AbortController();
  const server = http.createServer(refuse);
  let endpoint = '';

  beforeAll(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  function look(what: unknown): string {
    const seen = inspect(what, { depth: 12, showHidden: true, getters: true });
    expect(seen).not.toMatch(SIGNED);
    return seen;
  }

  const calls: Readonly<Record<string, (store: S3Store, key: string) => Promise<unknown>>> = {
    list: (store, prefix) => store.list({ bucket: 'some-bucket', prefix }, signal),
    head: (store, key) => store.head({ bucket: 'some-bucket', key }, signal),
    get: (store, key) => store.get({ bucket: 'some-bucket', key }, signal),
    put: (store, key) => store.put({ bucket: 'some-bucket', key, body: Buffer.from('b') }, signal),
    createUpload: (store, key) => store.createUpload({ bucket: 'some-bucket', key }, signal),
    uploadPart: (store, key) =>
      store.uploadPart({ bucket: 'some-bucket', key, uploadId: 'u' }, 1, Buffer.from('b'), signal),
    completeUpload: (store, key) =>
      store.completeUpload({ bucket: 'some-bucket', key, uploadId: 'u' }, [], {}, signal),
    abortUpload: (store, key) => store.abortUpload({ bucket: 'some-bucket', key, uploadId: 'u' }, signal),
    delete: (store, key) => store.delete('some-bucket', [key, `${key}-2`], signal),
    tag: (store, key) => store.tag({ bucket: 'some-bucket', key }, { a: 'b' }, signal),
  };

  it.each(
    Object.keys(calls).flatMap((name) => [301, 400, 403, 500].map((status) => [name, status] as const)),
  )('are in no error of %s with status %i, however much the store quotes', async (name, status) => {
    const store = open({ endpoint, credentials, region: 'us-east-1' });
    const error = await calls[name]?.(store, `status-${status}`).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: 'S3Error', message: expect.stringContaining('some-bucket') });
    expect(look(error)).toContain('S3Error');
  });

  it('are in no store, source or sink that is printed', () => {
    const reach = { endpoint, credentials };
    look(open(reach));
    look(new S3Source({ bucket: 'some-bucket', ...reach }));
    look(new S3Sink({ bucket: 'some-bucket', key: 'k{sequence}', ...reach }));
  });

  it('are in no report of a run that failed', async () => {
    const reach = { endpoint, credentials, retryMs: 0 };
    const reading = new ConcurrentPipeline(new S3Source({ bucket: 'some-bucket', ...reach }), collect());
    look(await reading.run().catch((thrown: unknown) => thrown));
    const sink = new S3Sink({ bucket: 'some-bucket', key: 'k{sequence}', ...reach });
    look(await new ConcurrentPipeline(['item'], sink).run().catch((thrown: unknown) => thrown));
  });

  it.each([{ code: 'ECONNRESET' }, { code: 'EELSE' }])(
    'are in no error of a client that hangs the request on what it throws: %o',
    async (what) => {
      const thrown = Object.assign(new Error('It broke.'), what, { request: { headers: credentials } });
      const client = { send: () => Promise.reject(thrown), destroy() {}, config: {} } as never;
      const error = await calls['head']?.(open({ client }), 'k').catch((reason: unknown) => reason);
      expect(look(error)).toContain('[cause]');
    },
  );

  it('are in no error of a connection that is lost', async () => {
    const silent = http.createServer((request) => request.socket.destroy());
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    try {
      const { port } = silent.address() as AddressInfo;
      const store = open({ endpoint: `http://127.0.0.1:${port}`, credentials });
      const error = await calls['put']?.(store, 'k').catch((thrown: unknown) => thrown);
      expect(look(error)).toContain('SW_S3_CONNECTION_LOST');
    } finally {
      silent.closeAllConnections();
      silent.close();
    }
  });
});
