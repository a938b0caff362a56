/** TLS that cannot be had is told by a code and by what to do, is not tried again as an outage is, and tells no secret. */

import { ConcurrentPipeline, from } from '@streamweld/core';
import { openFaultProxy } from '@streamweld/testing';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { inspect } from 'node:util';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { PostgresCheckpointStore } from '../src/checkpoint-store.ts';
import type { ConnectionOptions } from '../src/connection.ts';
import { PostgresError, toPostgresError } from '../src/errors.ts';
import { PostgresSink } from '../src/sink.ts';
import { PostgresChangeSource } from '../src/source-changes.ts';
import { PostgresNotificationSource } from '../src/source-notifications.ts';
import { PostgresSource } from '../src/source.ts';
import { pem, presenting, type PemName, startTlsServer } from './tls-server.ts';

type Connection = string | ConnectionOptions;
type Ssl = ConnectionOptions['ssl'];

const PASSWORD = 'pl4nted-p4ssword';
/** Of the key of the client, which is given as an option. */
const KEY = pem('client.key').split('\n')[1] as string;

/** Reads by it, and answers what that failed with: an error of ours that holds no secret. */
async function failure(connection: Connection, signal?: AbortSignal): Promise<PostgresError> {
  const source = new PostgresSource({ connection, query: 'select 1 as n' });
  const pipeline = new ConcurrentPipeline(source, () => {});
  const error = await pipeline.run(signal === undefined ? undefined : { signal }).then(
    () => new Error('It did not fail.'),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(PostgresError);
  const all = inspect(error, { depth: 20, showHidden: true, getters: true });
  expect(all).not.toContain(PASSWORD);
  expect(all).not.toContain(KEY);
  return error as PostgresError;
}

const socket = fs.mkdtempSync(path.join(os.tmpdir(), 'streamweld-socket-'));
// The server may run as another user.
fs.chmodSync(socket, 0o777);
const found = await startTlsServer(socket);
afterAll(async () => {
  await found?.stop();
  fs.rmSync(socket, { recursive: true, force: true });
});

describe.skipIf(found === undefined)('TLS that cannot be had', () => {
  const service = found as NonNullable<typeof found>;

  const options = (ssl: Ssl, more: ConnectionOptions = {}): ConnectionOptions => ({
    host: '127.0.0.1',
    port: service.port,
    user: 'postgres',
    password: PASSWORD,
    database: 'postgres',
    ssl,
    ...more,
  });
  const url = (words: string): string =>
    `postgres://postgres:${PASSWORD}@127.0.0.1:${service.port}/postgres?${words}`;
  const own = (...certificate: readonly PemName[]) => ({
    ca: pem('root.pem'),
    cert: pem(...certificate),
    key: pem('client.key'),
  });
  const present = async (...names: readonly PemName[]): Promise<void> => {
    await service.crash();
    await service.restart(presenting(...names));
  };
  const denied = (words: string) => ({
    code: 'SW_POSTGRES_DENIED',
    isTransient: false,
    message: expect.stringContaining(words),
  });

  describe('because of the certificate of the server', () => {
    afterAll(() => present('server.pem', 'intermediate.pem'));

    it('says what is missing where nobody known signed it', async () => {
      const authority = "Give the authority's certificate as ssl.ca";
      expect(await failure(options(true))).toMatchObject(denied(authority));
      expect(await failure(options(true))).toMatchObject(denied('(UNABLE_TO_GET_ISSUER_CERT_LOCALLY)'));
      expect(await failure(options({ ca: pem('intermediate.pem') }))).toMatchObject(
        denied(
          `${authority}, as PEM and not as a path, or its file as sslrootcert in the URL (UNABLE_TO_GET_ISSUER_CERT)`,
        ),
      );
      await present('server.pem');
      expect(await failure(options(true))).toMatchObject(
        denied(
          `${authority}, as PEM and not as a path, or its file as sslrootcert in the URL (UNABLE_TO_VERIFY_LEAF_SIGNATURE)`,
        ),
      );
      await present('server.pem', 'intermediate.pem', 'root.pem');
      expect(await failure(options(true))).toMatchObject(
        denied(
          `${authority}, as PEM and not as a path, or its file as sslrootcert in the URL (SELF_SIGNED_CERT_IN_CHAIN)`,
        ),
      );
    });

    it('says how to trust one that signed itself, which then works', async () => {
      await present('self-signed.pem');
      expect(await failure(options(true))).toMatchObject(
        denied(
          'Give that certificate as ssl.ca, as PEM and not as a path, or its file as sslrootcert in the URL (DEPTH_ZERO_SELF_SIGNED_CERT)',
        ),
      );
      const source = new PostgresSource({
        connection: options({ ca: pem('self-signed.pem') }),
        query: 'select 1 as n',
      });
      expect((await new ConcurrentPipeline(source, () => {}).run()).written).toBe(1);
    });

    it('says that it is for another host, and how to name that, which then works', async () => {
      await present('elsewhere.pem', 'intermediate.pem');
      expect(await failure(options({ ca: pem('root.pem') }))).toMatchObject(
        denied('the name may be given as ssl.servername (ERR_TLS_CERT_ALTNAME_INVALID)'),
      );
      const source = new PostgresSource({
        connection: options({ ca: pem('root.pem'), servername: 'elsewhere.example' }),
        query: 'select 1 as n',
      });
      expect((await new ConcurrentPipeline(source, () => {}).run()).written).toBe(1);
    });

    it('says that it has expired', async () => {
      await present('expired.pem', 'intermediate.pem');
      expect(await failure(options({ ca: pem('root.pem') }))).toMatchObject(
        denied('has expired. Renew it there, or check the clock here (CERT_HAS_EXPIRED)'),
      );
    });

    it('says that it is not valid yet', async () => {
      await present('early.pem', 'intermediate.pem');
      expect(await failure(options({ ca: pem('root.pem') }))).toMatchObject(
        denied('is not valid yet. Check the clocks here and there (CERT_NOT_YET_VALID)'),
      );
    });

    it('ends a run whose server comes back with such a one, however often a write may be tried again', async () => {
      await present('server.pem', 'intermediate.pem');
      const sink = new PostgresSink<{ n: number }>({
        connection: options({ ca: pem('root.pem') }),
        table: 'renewed',
        create: { n: 'int' },
      });
      let isWritten = (): void => {};
      const written = new Promise<void>((resolve) => {
        isWritten = resolve;
      });
      const inner = sink.write.bind(sink);
      sink.write = async (batch, context) => {
        await inner(batch, context);
        isWritten();
      };
      const items = async function* (): AsyncGenerator<{ n: number }> {
        yield { n: 1 };
        await written;
        await present('expired.pem', 'intermediate.pem');
        yield { n: 2 };
      };
      const running = new ConcurrentPipeline(from(items()), sink)
        .retry({ attempts: 1_000_000, backoff: { firstMs: 1, maxMs: 10 } })
        .run();
      await expect(running).rejects.toMatchObject(denied('(CERT_HAS_EXPIRED)'));
    });
  });

  it('fails every way of connecting alike', async () => {
    const connection = options(true);
    const run = (source: ConstructorParameters<typeof ConcurrentPipeline>[0]) =>
      new ConcurrentPipeline(source, () => {}).run();
    await using store = new PostgresCheckpointStore({ connection });
    for (const [name, attempt] of Object.entries({
      source: () => run(new PostgresSource({ connection, table: 't' })),
      sink: () => new ConcurrentPipeline([{ n: 1 }], new PostgresSink({ connection, table: 't' })).run(),
      store: () => store.load('x'),
      notifications: () => run(new PostgresNotificationSource({ connection, channel: 'c' })),
      changes: () => run(new PostgresChangeSource({ connection, slot: 's', publication: 'p' })),
    })) {
      await expect(attempt(), name).rejects.toMatchObject(denied('(UNABLE_TO_GET_ISSUER_CERT_LOCALLY)'));
    }
  });

  it('says that the server wants TLS', async () => {
    for (const connection of [options(undefined), options(false), url('sslmode=disable')]) {
      const error = await failure(connection);
      expect(error).toMatchObject(denied('in without TLS. Give ssl, or sslmode in the URL (SQLSTATE 28000)'));
      expect(error.sqlState).toBe('28000');
    }
  });

  it('says so likewise where it is told in other words: of old servers, of Azure, of PgBouncer', () => {
    const translation = { action: 'connect', stage: 's', errorDetails: false };
    for (const [code, words] of [
      ['28000', 'no pg_hba.conf entry for host "10.0.0.1", user "u", database "d", SSL off'],
      ['28000', 'SSL connection is required. Please specify SSL options and retry.'],
      ['08P01', 'SSL required'],
    ] as const) {
      const said = Object.assign(new Error(words), { code, severity: 'FATAL' });
      expect(toPostgresError(said, translation), words).toMatchObject(denied('without TLS. Give ssl'));
    }
    const other = Object.assign(new Error('unsupported'), { code: '08P01', severity: 'FATAL' });
    expect(toPostgresError(other, translation)).toMatchObject({ code: 'SW_POSTGRES_FAILED' });
  });

  it('says that the server speaks no TLS, as over its socket', async () => {
    expect(await failure(options(true, { host: socket }))).toMatchObject(
      denied('leave ssl and sslmode away'),
    );
  });

  it('says what is wrong with the certificate of the client', async () => {
    const certified = (ssl: Ssl) => failure(options(ssl, { user: 'certified' }));
    expect(await certified({ ca: pem('root.pem') })).toMatchObject(
      denied('asks for a certificate that proves who the user is. Give ssl.cert and ssl.key'),
    );
    // TLS 1.2: the server refuses before the client goes on, so that its refusal is what arrives.
    const unknown = { ca: pem('root.pem'), cert: pem('self-signed.pem'), key: pem('server.key') };
    expect(await certified({ ...unknown, maxVersion: 'TLSv1.2' })).toMatchObject(
      denied('the server does not take the certificate of this client. Check ssl.cert'),
    );
    // Of another user than the one that is named.
    const another = { ...unknown, cert: pem('server.pem', 'intermediate.pem') };
    expect(await certified(another)).toMatchObject(denied('a certificate that proves who the user is'));
    expect(await failure(options(own('server.pem')))).toMatchObject(
      denied('do not belong together (ERR_OSSL_X509_KEY_VALUES_MISMATCH)'),
    );
    expect(await failure(options({ ...own('client.pem'), key: `no PEM: ${KEY}` }))).toMatchObject(
      denied('ssl.ca, ssl.cert or ssl.key is no PEM'),
    );
  });

  it('says that a file that is named in a URL cannot be read', async () => {
    for (const words of [
      'sslrootcert=/no/such/file',
      `sslmode=verify-full&sslkey=${encodeURIComponent(KEY)}`,
    ]) {
      expect(await failure(url(words))).toMatchObject(
        denied('a file that the URL names as sslrootcert, sslcert or sslkey cannot be read (ENOENT)'),
      );
    }
    expect(await failure(url(`sslrootcert=${os.tmpdir()}`))).toMatchObject(denied('(EISDIR)'));
  });

  it('says that there is no such socket, which passes when the server comes up', async () => {
    expect(await failure(options(undefined, { host: path.join(socket, 'elsewhere') }))).toMatchObject({
      code: 'SW_POSTGRES_UNREACHABLE',
      isTransient: true,
      message: expect.stringContaining('there is no such socket'),
    });
  });

  it('is an outage where the connection is cut while TLS is agreed on', async () => {
    await using proxy = await openFaultProxy({ target: { port: service.port } });
    // One byte says that there is TLS; the others are of the handshake.
    proxy.cutAfter(100, 'reply');
    expect(await failure(options({ ca: pem('root.pem') }, { port: proxy.port }))).toMatchObject({
      code: 'SW_POSTGRES_CONNECTION_LOST',
      isTransient: true,
    });
    expect(proxy.counts.cut).toBe(1);
  });
});

describe('what is no Postgres, or a silent one', () => {
  const open: net.Socket[] = [];
  const servers: net.Server[] = [];
  /** Answers the first bytes of each connection so, and says nothing more; where `isEnded`, it hangs up. */
  const answering = async (answer: string, isEnded = false): Promise<ConnectionOptions> => {
    const server = net.createServer((client) => {
      open.push(client);
      client.on('error', () => {});
      client.once('data', () => (isEnded ? client.end(answer) : client.write(answer)));
    });
    servers.push(server);
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as net.AddressInfo;
    return { host: '127.0.0.1', port, user: 'postgres', password: PASSWORD, ssl: true };
  };
  afterEach(async () => {
    for (const server of servers.splice(0)) {
      // Whoever gave up has hung up: nothing is left to wait for.
      await new Promise((resolve) => server.close(resolve));
    }
    open.length = 0;
  });

  it('is an outage where it hangs up while TLS is agreed on', async () => {
    expect(await failure(await answering('S', true))).toMatchObject({
      code: 'SW_POSTGRES_CONNECTION_LOST',
      isTransient: true,
    });
  });

  it('says that the server speaks no TLS', async () => {
    expect(await failure(await answering('N', true))).toMatchObject({
      code: 'SW_POSTGRES_DENIED',
      isTransient: false,
      message: expect.stringContaining('the server does not speak TLS'),
    });
  });

  it('says that it may not be Postgres', async () => {
    expect(await failure(await answering('HTTP/1.1 400 Bad Request\r\n\r\n', true))).toMatchObject({
      code: 'SW_POSTGRES_UNREACHABLE',
      isTransient: true,
      message: expect.stringContaining('Is it Postgres, and the port right?'),
    });
  });

  it.each([
    ['before', ''],
    ['while', 'S'],
  ])('gives up, and hangs up, where nothing comes %s TLS is agreed on', async (_, answer) => {
    expect(await failure({ ...(await answering(answer)), connectTimeoutMs: 100 })).toMatchObject({
      code: 'SW_POSTGRES_UNREACHABLE',
      isTransient: true,
    });
  });

  it.each([
    ['before', ''],
    ['while', 'S'],
  ])('lets a run go that is aborted %s TLS is agreed on', async (_, answer) => {
    const connection = await answering(answer);
    const aborting = new AbortController();
    const source = new PostgresSource({ connection, query: 'select 1 as n' });
    const running = new ConcurrentPipeline(source, () => {}).run({ signal: aborting.signal });
    await expect.poll(() => open.length).toBe(1);
    aborting.abort(new Error('enough'));
    await expect(running).rejects.toThrow('enough');
  });
});

describe('what is given as ssl', () => {
  it('is refused at the door where it is no option of TLS, and is not shown', () => {
    const table = 't';
    for (const connection of [
      { host: 'h', ssl: KEY as never },
      { host: 'h', ssl: PASSWORD as never },
      { host: 'h', ssl: 1 as never },
      { host: 'h', ssl: null as never },
      ...['false', 'require', '', `${KEY}`].map((word) => `postgres://h/d?ssl=${encodeURIComponent(word)}`),
      'postgres://h/d?ssl=require&ssl=true',
    ]) {
      let error: unknown;
      try {
        error = new PostgresSource({ connection, table });
      } catch (thrown) {
        error = thrown;
      }
      expect(error, inspect(connection)).toMatchObject({ code: 'SW_OPTION_INVALID' });
      expect(inspect(error)).not.toContain(KEY);
      expect(inspect(error)).not.toContain(PASSWORD);
    }
    for (const connection of [
      { host: 'h', ssl: true },
      { host: 'h', ssl: false },
      { host: 'h', ssl: {} },
      ...['true', '1', '0', 'no-verify'].map((word) => `postgres://h/d?ssl=${word}`),
    ]) {
      expect(new PostgresSource({ connection, table })).toBeInstanceOf(PostgresSource);
    }
  });
});
