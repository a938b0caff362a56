/** The cache in a server that speaks Redis's protocol: one hash for each run, which is forgotten after an hour. */

import { Redis } from 'ioredis';
import type { AirportState } from './airport-state.ts';
import { type Cache, CacheUnavailable, type Replacement } from './cache.ts';

/** How long the server may take: for a first answer, and for each one after. */
const ANSWER_MS = 5000;
/** Nothing of a run that was killed stays for good. */
const FORGET_MS = 3_600_000;

/**
 * All or nothing of what is given, in one step: the server runs one script at a time. A field is `seq` and the state as JSON;
 * arguments are triples of airport, the `seq` that has to stand there, and the new field.
 */
const REPLACE = `
  local replaced = 0
  for i = 1, #ARGV, 3 do
    local field = redis.call('HGET', KEYS[1], ARGV[i])
    local seq = field and string.match(field, '^%d+') or '0'
    if seq == ARGV[i + 1] then
      redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 2])
      replaced = replaced + 1
    end
  end
  redis.call('PEXPIRE', KEYS[1], ${FORGET_MS})
  return replaced`;

export class RedisCache implements Cache {
  readonly #redis: Redis;
  readonly #key: string;
  /** What the last connection failed for. */
  #reason = 'no answer';

  private constructor(redis: Redis, run: string) {
    this.#redis = redis;
    this.#key = `streamweld:events:${run}`;
    redis.on('error', ({ message }: Error) => (this.#reason = message));
  }

  /** @throws CacheUnavailable, in which there is no password. */
  static async open(url: string, run: string): Promise<RedisCache> {
    const redis = new Redis(url, {
      lazyConnect: true,
      connectTimeout: ANSWER_MS,
      commandTimeout: ANSWER_MS,
      // Whoever writes tries again: it is not done twice, and not kept for later.
      maxRetriesPerRequest: 0,
      enableOfflineQueue: false,
      retryStrategy: (times) => Math.min(50 * times, 500),
    });
    const cache = new RedisCache(redis, run);
    try {
      await cache.#ask(() => redis.connect());
      await cache.#ask(() => redis.ping());
      return cache;
    } catch (error) {
      redis.disconnect();
      throw error;
    }
  }

  /** Which server it is, and its version: `valkey 9.1.2`. */
  async server(): Promise<string> {
    const info = await this.#ask(() => this.#redis.info('server'));
    const valkey = /^valkey_version:(\S+)/m.exec(info)?.[1];
    return valkey === undefined
      ? `Redis ${/^redis_version:(\S+)/m.exec(info)?.[1] ?? '(version not told)'}`
      : `Valkey ${valkey}`;
  }

  async read(airports: readonly string[]): Promise<(AirportState | undefined)[]> {
    const fields = await this.#ask(() => this.#redis.hmget(this.#key, ...airports));
    return fields.map((field) => (field === null ? undefined : stateOf(field)));
  }

  async replace(replacements: readonly Replacement[]): Promise<number> {
    const args = replacements.flatMap(({ airport, after, state }) => [
      airport,
      String(after),
      `${state.seq} ${JSON.stringify(state)}`,
    ]);
    return (await this.#ask(() => this.#redis.eval(REPLACE, 1, this.#key, ...args))) as number;
  }

  async readAll(): Promise<ReadonlyMap<string, AirportState>> {
    const fields = await this.#ask(() => this.#redis.hgetall(this.#key));
    return new Map(Object.entries(fields).map(([airport, field]) => [airport, stateOf(field)]));
  }

  async clear(): Promise<void> {
    await this.#ask(() => this.#redis.del(this.#key));
  }

  close(): void {
    this.#redis.disconnect();
  }

  async #ask<R>(question: () => Promise<R>): Promise<R> {
    try {
      return await question();
    } catch (error) {
      // Without a connection, why there is none says more than that there is none.
      const why = this.#redis.status === 'ready' ? (error as Error).message : this.#reason;
      throw new CacheUnavailable(`The cache server does not do what it is asked: ${why}.`);
    }
  }
}

function stateOf(field: string): AirportState {
  return JSON.parse(field.slice(field.indexOf(' ') + 1)) as AirportState;
}
