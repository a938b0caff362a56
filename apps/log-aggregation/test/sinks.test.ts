import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Sink } from '@streamweld/core';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type PostgresService, startPostgres } from '../../../tools/services/postgres.ts';
import { Door } from '../src/door.ts';
import type { Entry } from '../src/entry.ts';
import { findCounts, findFiles, findSetAside } from '../src/found.ts';
import { Logs } from '../src/logs.ts';
import { Metrics } from '../src/metrics.ts';
import { parseLine } from '../src/parse.ts';
import { aggregating } from '../src/pipeline.ts';
import { MemoryIndex } from '../src/search-memory.ts';
import { PostgresIndex } from '../src/search-postgres.ts';
import type { SearchIndex } from '../src/search.ts';
import { wordsIn } from '../src/words.ts';

const LINES = 1000;
const NOBODY: Sink<Entry> = { name: 'alerts', write: () => {} };

let folder: string;
let log: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'log-sinks-'));
  log = join(folder, 'app.log');
  writeFileSync(
    log,
    Array.from({ length: LINES }, (_, at) => `{"level":30,"msg":"number ${at}"}\n`).join(''),
  );
});
afterEach(() => rmSync(folder, { recursive: true }));

let service: PostgresService;
beforeAll(async () => {
  service = await startPostgres();
});
afterAll(() => service.stop());

/** A connection of somebody else to the same server. */
async function connected<R>(task: (client: pg.Client) => Promise<R>): Promise<R> {
  const client = new pg.Client(service.url);
  await client.connect();
  try {
    return await task(client);
  } finally {
    await client.end();
  }
}

/** Lets a write begin, holds it by a lock, and ends its connection. @returns how many were ended */
async function cutOff(write: () => unknown): Promise<number> {
  return await connected(async (client) => {
    await client.query('begin; lock table streamweld_logs.entries in access exclusive mode');
    const writing = Promise.resolve(write());
    // Looked at below, and by nobody before.
    writing.catch(() => {});
    let ended = 0;
    while (ended === 0) {
      const { rowCount } = await client.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where wait_event_type = 'Lock' and query like '%entries%'",
      );
      ended = rowCount ?? 0;
    }
    await client.query('rollback');
    await writing;
    return ended;
  });
}

/** The same index, but with its third write something happens. */
function struck(
  index: SearchIndex,
  happens: (write: () => ReturnType<Sink<Entry>['write']>) => Promise<unknown>,
): Sink<Entry> {
  let writes = 0;
  return {
    name: index.name,
    atomic: true,
    async write(batch, context) {
      writes += 1;
      if (writes === 3) await happens(() => index.write(batch, context));
      else await index.write(batch, context);
    },
    open: (context) => index.open?.(context),
    close: (reason) => index.close?.(reason),
  };
}

async function run(search: Sink<Entry>, metrics: Metrics) {
  const { pipeline, dispatcher } = await aggregating({
    logs: new Logs([log], false).all,
    folder: join(folder, 'files'),
    sinks: { metrics, alerts: NOBODY, search },
    troubles: {},
    missed: (sink) => join(folder, `missed-${sink}.ndjson`),
    dropping: new Map(),
  });
  await pipeline.run();
  return dispatcher.sinks();
}

const idsOf = async (index: SearchIndex, text: string) =>
  (await index.find(wordsIn(text), Number.POSITIVE_INFINITY)).hits.map(({ id }) => id).sort();

describe('the index in a Postgres', () => {
  it('has every entry once, also where its connections are cut in the middle', async () => {
    await using index = await PostgresIndex.open(service.url);
    const sinks = await run(struck(index, cutOff), new Metrics());
    const [, , , search] = sinks;
    expect(search).toMatchObject({ name: 'search', state: 'closed', delivered: LINES, deadLettered: 0 });
    expect(search?.retried).toBe(1);
    expect(await idsOf(index, 'number')).toHaveLength(LINES);
    expect(await idsOf(index, 'NUMBER 17')).toEqual(['app.log:18']);
  });

  it('is given up where its table is gone: what waited is set aside, and all the others have everything', async () => {
    await using index = await PostgresIndex.open(service.url);
    const metrics = new Metrics();
    const isGone = (write: () => unknown) =>
      connected((client) => client.query('drop table streamweld_logs.entries')).then(write);
    const sinks = await run(struck(index, isGone), metrics);
    const search = sinks.find(({ name }) => name === 'search');
    const missed = findSetAside(join(folder, 'missed-search.ndjson'));
    expect(search).toMatchObject({ state: 'detached' });
    expect(missed.length).toBeGreaterThan(0);
    // What it took, then what was set aside: no entry lies between them.
    const ids = Array.from(
      { length: missed.length },
      (_, at) => `app.log:${(search?.delivered ?? 0) + at + 1}`,
    );
    expect(missed.toSorted(byLine)).toEqual(ids);
    expect(findCounts((await metrics.exposition()).text)).toEqual(new Map([['app info', LINES]]));
    expect([...findFiles(join(folder, 'files')).values()].flat()).toHaveLength(LINES);
  });

  const byLine = (one: string, other: string) => Number(one.split(':')[1]) - Number(other.split(':')[1]);

  it('takes what no text of Postgres can hold', async () => {
    await using index = await PostgresIndex.open(service.url);
    const raw = '{"msg":"odd \\u0000 nul \\ud800 half","time":253402300799999}';
    await index.open({} as never);
    await index.write([parseLine('app.log', 1, raw)], { signal: new AbortController().signal } as never);
    expect(await index.find(['nul', 'half'], 5)).toEqual({
      total: 1,
      hits: [
        {
          id: 'app.log:1',
          service: 'app',
          level: 'unknown',
          at: 253402300799999,
          text: 'odd \uFFFD nul \uFFFD half',
        },
      ],
    });
  });
});

describe('both kinds of index', () => {
  it('find the same, the newest first, whole words alone', async () => {
    await using there = await PostgresIndex.open(service.url);
    const here = new MemoryIndex();
    const entries = ['/commands/npm-ls.html', 'Ärger: ÄRGER', "o'neil & co | !x <-> 'y'", 'npm', ''].map(
      (msg, at) => parseLine('app.log', at + 1, JSON.stringify({ msg, time: at })),
    );
    for (const index of [there, here] as readonly SearchIndex[]) {
      await index.open?.({} as never);
      await index.write(entries, { signal: new AbortController().signal } as never);
      await index.write(entries.slice(2), { signal: new AbortController().signal } as never);
      expect(await idsOf(index, 'ärger')).toEqual(['app.log:2']);
      expect(await idsOf(index, "O'Neil & x")).toEqual(['app.log:3']);
      expect(await idsOf(index, 'np')).toEqual([]);
      expect(await idsOf(index, 'npm nowhere')).toEqual([]);
      expect(await idsOf(index, '!?')).toEqual([]);
      const { total, hits } = await index.find(['npm'], 1);
      expect([total, hits.map(({ id }) => id)]).toEqual([2, ['app.log:4']]);
    }
  });
});

describe('Door', () => {
  it('answers what it is asked, refuses the rest, and lets no page of another name in', async () => {
    await using door = await Door.open(0, new Metrics(), new MemoryIndex());
    const statusOf = async (path: string, init?: RequestInit) => (await fetch(door.url + path, init)).status;
    expect(await statusOf('/')).toBe(200);
    expect(await statusOf('/metrics')).toBe(200);
    expect(await (await fetch(`${door.url}/search?q=nothing`)).json()).toEqual({ total: 0, hits: [] });
    expect(await statusOf('/search')).toBe(400);
    expect(await statusOf('/search?q=x&limit=0')).toBe(400);
    expect(await statusOf('/other')).toBe(404);
    expect(await statusOf('/metrics', { method: 'POST' })).toBe(405);
    const foreign = await new Promise<number | undefined>((resolve, reject) => {
      const headers = { host: 'evil.example' };
      get(`${door.url}/metrics`, { headers }, ({ statusCode }) => resolve(statusCode)).on('error', reject);
    });
    expect(foreign).toBe(403);
  });
});
