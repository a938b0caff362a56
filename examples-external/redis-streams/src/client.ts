/**
 * The only file that imports the client library: what is used of it, a connection of our own or one that is lent, and its
 * end.
 */

import { createClient, type RedisClientOptions } from '@redis/client';
import { untilAborted } from '@streamweld/core/connector';
import { toRedisError } from './errors.ts';
import type { CheckedReach } from './options.ts';

/**
 * What is used of a client: `@redis/client` and `redis` have it as it is; for `ioredis` it is four lines (README).
 */
export interface RedisClient {
  /** Sends one command; rejects with what the server refuses it for, an Error whose message begins with its word. */
  sendCommand(args: string[]): Promise<unknown>;
  /** Another connection of the same kind, not connected yet: a wait for new entries holds one for itself. */
  duplicate(): RedisClient;
  connect(): Promise<unknown>;
  /** Ends the connection at once; what is outstanding on it rejects. */
  destroy(): void;
}

interface LibraryClient extends RedisClient {
  on(event: 'connect' | 'error', listener: () => void): unknown;
}

/** A client of the library that can be ended also while it connects: its own `destroy` does nothing then. */
class OwnClient implements RedisClient {
  readonly #client: LibraryClient;
  #isEnded = false;

  constructor(client: LibraryClient) {
    this.#client = client;
    // Told to who waits for an answer as well; unheard it would end the process.
    client.on('error', () => {});
    client.on('connect', () => {
      if (this.#isEnded) client.destroy();
    });
  }

  sendCommand(args: string[]): Promise<unknown> {
    return this.#client.sendCommand(args);
  }

  duplicate(): RedisClient {
    return new OwnClient(this.#client.duplicate() as LibraryClient);
  }

  connect(): Promise<unknown> {
    return this.#client.connect();
  }

  destroy(): void {
    this.#isEnded = true;
    this.#client.destroy();
  }
}

/** A connection to the server: lent, or one's own that is made when it is needed and made anew when it was lost. */
export class Connection {
  readonly #reach: CheckedReach;
  #client: RedisClient | undefined;
  #isClosed = false;

  constructor(reach: CheckedReach) {
    this.#reach = reach;
    this.#client = reach.client;
  }

  /**
   * The answer to one command.
   * @throws RedisError, or the reason of the signal once that aborts: what was sent may still be done.
   */
  async send(args: string[], action: string, signal?: AbortSignal): Promise<unknown> {
    const [answer] = await this.sendAll([args], action, signal);
    if (answer?.status === 'fulfilled') return answer.value;
    throw answer?.reason;
  }

  /** The answers to several commands, sent at once, in their order; likewise. */
  async sendAll(
    commands: readonly string[][],
    action: string,
    signal?: AbortSignal,
  ): Promise<PromiseSettledResult<unknown>[]> {
    const client = await this.#connected(action, signal);
    const answers = Promise.allSettled(commands.map((command) => client.sendCommand(command)));
    let settled: PromiseSettledResult<unknown>[];
    try {
      settled = await whileWanted(signal, answers);
    } catch (reason) {
      // Its answers would be in the way of the next command.
      this.#drop(client);
      throw reason;
    }
    return settled.map((answer) => {
      if (answer.status === 'fulfilled') return answer;
      const reason = toRedisError(answer.reason, action, this.#reach.name);
      if (reason.code === 'REDIS_CONNECTION_LOST') this.#drop(client);
      return { status: 'rejected', reason };
    });
  }

  /** A connection for a wait, which is its caller's to destroy. */
  async another(action: string, signal?: AbortSignal): Promise<RedisClient> {
    const { client } = this.#reach;
    return this.#connect(client === undefined ? this.#create() : client.duplicate(), action, signal);
  }

  /** Ends a connection of our own; one that was lent stays. */
  close(): void {
    this.#isClosed = true;
    if (this.#client !== undefined) this.#drop(this.#client);
  }

  async #connected(action: string, signal: AbortSignal | undefined): Promise<RedisClient> {
    signal?.throwIfAborted();
    if (this.#client !== undefined) return this.#client;
    const client = await this.#connect(this.#create(), action, signal);
    if (this.#isClosed) {
      end(client);
      throw toRedisError(
        Object.assign(new Error(), { code: 'ERR_STREAM_DESTROYED' }),
        action,
        this.#reach.name,
      );
    }
    this.#client = client;
    return client;
  }

  async #connect(client: RedisClient, action: string, signal: AbortSignal | undefined): Promise<RedisClient> {
    const connecting = client.connect();
    try {
      await whileWanted(signal, connecting);
      return client;
    } catch (error) {
      end(client);
      // One that is being made may not heed that until it is there.
      connecting.then(
        () => end(client),
        () => {},
      );
      if (signal?.aborted === true) throw signal.reason;
      throw toRedisError(error, action, this.#reach.name);
    }
  }

  #create(): RedisClient {
    const given = this.#reach.connection;
    const { connectTimeoutMs = 10_000, tls, host, port, ...login } = typeof given === 'object' ? given : {};
    const client = createClient({
      ...(typeof given === 'string' ? { url: given } : login),
      // What was lost is found out by who asked, who then says what is to be done again: nothing is queued here.
      disableOfflineQueue: true,
      disableClientInfo: true,
      RESP: 2,
      socket: {
        ...(host === undefined ? undefined : { host }),
        ...(port === undefined ? undefined : { port }),
        ...(tls === undefined || tls === false ? undefined : { ...(tls === true ? {} : tls), tls: true }),
        connectTimeout: connectTimeoutMs,
        reconnectStrategy: false,
      },
    } as unknown as RedisClientOptions);
    return new OwnClient(client as unknown as LibraryClient);
  }

  #drop(client: RedisClient): void {
    if (client === this.#reach.client) return;
    if (this.#client === client) this.#client = undefined;
    end(client);
  }
}

function whileWanted<R>(signal: AbortSignal | undefined, underWay: Promise<R>): Promise<R> {
  return signal === undefined ? underWay : untilAborted(signal, underWay);
}

export function end(client: RedisClient): void {
  try {
    client.destroy();
  } catch {
    // It says so where it has ended already.
  }
}
