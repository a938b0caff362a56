/**
 * The real server that the tests run against: the one of `REDIS_URL`; else one that is started, `valkey-server` or
 * `redis-server` on the path, or the program of `REDIS_SERVER`. Only one that was started can be killed.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from '@redis/client';

export interface Service {
  readonly url: string;
  readonly port: number;
  /** One command, on a connection that is not the connector's. */
  command(...args: string[]): Promise<unknown>;
  /** Whether it is ours to kill. */
  readonly isOwn: boolean;
  /** SIGKILL, and everything it had answered is on its disk. */
  kill(): Promise<void>;
  /** Starts it again on its data, or without them. */
  restart(options?: { readonly empty?: boolean }): Promise<void>;
  stop(): Promise<void>;
}

/** One for the tests of a file, stopped behind them. */
export async function startService(): Promise<Service> {
  const url = process.env['REDIS_URL'];
  const service = url === undefined ? new OwnServer(await freePort()) : new GivenServer(url);
  await service.start();
  after(() => service.stop());
  return service;
}

class GivenServer implements Service {
  readonly url: string;
  readonly isOwn: boolean = false;
  #client: ReturnType<typeof createClient> | undefined;

  constructor(url: string) {
    this.url = url;
  }

  get port(): number {
    return Number(new URL(this.url).port || 6379);
  }

  async start(): Promise<void> {
    const client = createClient({ url: this.url, RESP: 2, socket: { reconnectStrategy: false } });
    client.on('error', () => {});
    await client.connect();
    this.#client = client as never;
  }

  async command(...args: string[]): Promise<unknown> {
    return this.#client?.sendCommand(args);
  }

  async kill(): Promise<void> {
    throw new Error('REDIS_URL is not ours to kill.');
  }

  async restart(_options?: { readonly empty?: boolean }): Promise<void> {
    throw new Error('REDIS_URL is not ours to start.');
  }

  async stop(): Promise<void> {
    if (this.#client?.isOpen === true) this.#client.destroy();
  }
}

class OwnServer extends GivenServer {
  override readonly isOwn: boolean = true;
  readonly #port: number;
  readonly #password: string;
  #folder = mkdtempSync(join(tmpdir(), 'redis-streams-'));
  #child: ChildProcess | undefined;

  constructor(port: number, password: string = randomUUID()) {
    super(`redis://:${password}@127.0.0.1:${port}`);
    this.#port = port;
    this.#password = password;
  }

  override async start(): Promise<void> {
    const given = process.env['REDIS_SERVER'];
    const failures: string[] = [];
    for (const program of given === undefined ? ['valkey-server', 'redis-server'] : [given]) {
      try {
        await this.#startProgram(program);
        return;
      } catch (error) {
        failures.push((error as Error).message);
      }
    }
    throw new Error(
      `No server: give REDIS_URL, or install valkey-server or redis-server. ${failures.join('; ')}`,
    );
  }

  async #startProgram(program: string): Promise<void> {
    const child = spawn(program, ['-'], { cwd: this.#folder, stdio: ['pipe', 'ignore', 'ignore'] });
    let failure: string | undefined;
    child.once('error', (error) => (failure = error.message));
    child.once('exit', (code, signal) => (failure ??= `${program} ended with ${code ?? signal}`));
    child.stdin.on('error', () => {});
    // On stdin: a password is not for the list of processes. Every write is on disk before it is answered.
    child.stdin.end(
      `bind 127.0.0.1\nport ${this.#port}\ndir ${JSON.stringify(this.#folder)}\nrequirepass ${this.#password}\nsave ""\nappendonly yes\nappendfsync always\nenable-debug-command yes\n`,
    );
    this.#child = child;
    for (const until = Date.now() + 30_000; ; await sleep(10)) {
      if (failure !== undefined || Date.now() > until) {
        throw new Error(failure ?? `${program} does not answer`);
      }
      try {
        await super.start();
        await this.command('PING');
        return;
      } catch {
        await super.stop();
      }
    }
  }

  override async kill(): Promise<void> {
    await super.stop();
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  override async restart({ empty = false }: { readonly empty?: boolean } = {}): Promise<void> {
    await this.kill();
    if (empty) {
      rmSync(this.#folder, { recursive: true });
      this.#folder = mkdtempSync(join(tmpdir(), 'redis-streams-'));
    }
    await this.start();
  }

  override async stop(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

let streams = 0;

/** The name of a stream that nobody else has. */
export function freshStream(): string {
  streams += 1;
  return `stream-${process.pid}-${streams}`;
}

export interface Numbered {
  readonly n: string;
  readonly text: string;
}

export const numbered = (n: number): Numbered => ({ n: String(n), text: `an item told apart ${n}` });

/** Adds the items of these numbers. */
export async function seed(service: Service, stream: string, from: number, to: number): Promise<Numbered[]> {
  const items: Numbered[] = [];
  let added: Promise<unknown>[] = [];
  for (let n = from; n < to; n += 1) {
    const item = numbered(n);
    items.push(item);
    added.push(service.command('XADD', stream, '*', 'n', item.n, 'text', item.text));
    // Not all of many at once.
    if (added.length === 5000) {
      await Promise.all(added);
      added = [];
    }
  }
  await Promise.all(added);
  return items;
}

/** The items of all entries that are there. */
export async function readBack(service: Service, stream: string): Promise<Record<string, string>[]> {
  const entries = (await service.command('XRANGE', stream, '-', '+')) as [string, string[]][];
  return entries.map(([, flat]) => {
    const item: Record<string, string> = {};
    for (let at = 0; at < flat.length; at += 2) item[flat[at] as string] = flat[at + 1] as string;
    return item;
  });
}
