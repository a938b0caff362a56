import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppProcess, expectProved } from '@streamweld/app-kit/test';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type PostgresService, startPostgres } from '../../../tools/services/postgres.ts';
import { ask, newDatabase, untilKept, untilPaid } from './databases.ts';

/** A net for what hangs: machines that run this are busy. */
const TIMEOUT = 120_000;

const main = new URL('../src/main.ts', import.meta.url);
let folder: string;
let app: AppProcess | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'orders-'));
});

afterEach(async () => {
  await app?.kill();
  await rm(folder, { recursive: true, force: true });
});

/** @returns the app, which is ended after the test if it has not. */
function start(args: readonly string[], env?: NodeJS.ProcessEnv): AppProcess {
  return (app = new AppProcess(main, ['--out', folder, '--progress', 'plain', ...args], { env }));
}

const deadLetters = () => join(folder, 'dead-letters.ndjson');

describe('order-processing with a Postgres of yours', () => {
  let service: PostgresService;
  let url: string;
  let yours: { STREAMWELD_POSTGRES_URL: string };

  beforeAll(async () => {
    service = await startPostgres();
  });
  afterAll(() => service?.stop());
  beforeEach(async () => {
    url = await newDatabase(service.url);
    yours = { STREAMWELD_POSTGRES_URL: url };
  });

  it(
    'is killed with kill -9 again and again, and goes on until each order is paid, reserved and counted once',
    async () => {
      const args = ['--orders', '900', '--seed', '7'];
      // Before anything is kept of where it stands, and in the middle.
      for (const killAt of [() => untilPaid(url, 20), () => untilKept(url, 150)]) {
        const running = start(args, yours);
        await killAt();
        running.child.kill('SIGKILL');
        await running.ended;
      }
      const last = await start(args, yours).ended;
      expectProved(last, 12);
      expect(last.stdout).toMatch(/Goes on behind order [1-9]\d\d: it is start 3 of this run/);
      expect(last.stdout).toMatch(/came again after 2 new starts, each the same with the same Message-ID/);
      expect(last.stdout).toContain('900 of 900 orders have their mail');
      const [stock] = await ask<{ oversold: number; wrong: number }>(
        url,
        `select count(*) filter (where available < 0)::int as oversold, count(*) filter (where available <> initial - reserved)::int as wrong
           from stock join (select sku, sum(quantity) filter (where is_reserved) as reserved
                              from reservations group by sku) as taken using (sku)`,
      );
      expect(stock).toEqual({ oversold: 0, wrong: 0 });
    },
    TIMEOUT,
  );

  it(
    'finishes what is on its way at Ctrl-C and proves it; goes on from there, and says what is wrong by then',
    async () => {
      const args = ['--orders', '1200'];
      const running = start(args, yours);
      await untilPaid(url, 20);
      running.interrupt();
      const stopped = await running.ended;
      expectProved(stopped, 12);
      expect(stopped.stderr).toContain('Stopping');
      expect(stopped.stdout).toContain('stopped before the end');
      const [, behind = ''] = /goes on behind order ([\d,]+)/.exec(stopped.stdout) ?? [];
      expect(behind).not.toBe('');

      const other = await start(['--orders', '50'], yours).ended;
      expect(other.code).toBe(1);
      expect(other.stderr).toMatch(/^ORDERS_RUN_UNFINISHED: [\s\S]*--orders 1200 --seed 1 --out/m);
      await writeFile(deadLetters(), '', { flag: 'a' });
      const early = await start(['replay', deadLetters()], yours).ended;
      expect(early.code).toBe(1);
      expect(early.stderr).toMatch(/^ORDERS_RUN_MISSING: .*did not come to its end/m);

      await ask(url, 'delete from payments where order_id = (select min(order_id) from payments)');
      await ask(url, "update stock set available = available + 1 where sku = 'COF-102'");
      await ask(url, "update sales_by_country set cents = cents + 1 where country = 'PL'");
      const mails = join(folder, 'mails.ndjson');
      await writeFile(mails, (await readFile(mails, 'utf8')).replace(/^.*\n/, ''));
      const { code, stdout } = await start(args, yours).ended;
      expect(code, stdout).toBe(1);
      expect(stdout).toContain(`Goes on behind order ${behind}: it is start 2 of this run`);
      expect(stdout).toMatch(/✗ payment +WRONG: 1,200 orders: .* 1 in neither, 0 in both/);
      expect(stdout).toMatch(/✗ payment +WRONG: €[\d,.]+ taken, of €[\d,.]+ that can be/);
      expect(stdout).toMatch(/✗ inventory +WRONG: stock is what there was .* for 23 of 24 products/);
      expect(stdout).toMatch(/✗ e-mail +WRONG: 1,199 of 1,200 orders have their mail/);
      expect(stdout).toMatch(/✗ e-mail +WRONG: subject, name and text are intact in 1,199 of 1,200/);
      expect(stdout).toMatch(/✗ analytics +WRONG: … and the orders .* 11 of 12 countries/);
    },
    TIMEOUT,
  );

  it(
    'is shown on a page, and aborts at a second Ctrl-C, also where the database answers nothing',
    async () => {
      const running = start(['--orders', '100000', '--inspect'], yours);
      await running.says(/Look at \S+\n/);
      const [, page = '', token = ''] =
        /Look at (http:\/\/127\.0\.0\.1:\d+\/)#(\S+)/.exec(running.stderr) ?? [];
      expect(token.length).toBeGreaterThan(15);
      expect(await (await fetch(page)).text()).toContain('<html');
      await untilPaid(url, 1);
      const lock = new pg.Client(url);
      await lock.connect();
      await lock.query('begin; lock table streamweld_orders.payments in access exclusive mode');
      running.interrupt();
      await running.says(/Stopping/);
      running.interrupt();
      const { code, stdout, stderr } = await running.ended;
      await lock.end();
      expect(code, stderr).toBe(130);
      expect(stderr).toContain('Aborted by a second Ctrl-C');
      expect(stdout).not.toContain('Proof');
    },
    TIMEOUT,
  );
});

describe('what order-processing cannot do', () => {
  it(
    'is said where a Postgres of yours does not answer; no password is told',
    async () => {
      const { code, stderr } = await start([], {
        STREAMWELD_POSTGRES_URL: 'postgres://me:planted@127.0.0.1:1/mine',
      }).ended;
      expect(code).toBe(1);
      expect(stderr).toMatch(/^ORDERS_POSTGRES_UNAVAILABLE: .* cannot be used: .*ECONNREFUSED/m);
      expect(stderr).toContain('--postgres URL');
      expect(stderr).not.toContain('planted');
    },
    TIMEOUT,
  );

  it(
    'is said where there can be no folder',
    async () => {
      const file = join(folder, 'file');
      await writeFile(file, '');
      const { code, stderr } = await start(['--out', join(file, 'out')]).ended;
      expect(code).toBe(1);
      expect(stderr).toMatch(/^ORDERS_FOLDER_UNUSABLE: .*ENOTDIR.*--out/m);
    },
    TIMEOUT,
  );

  it(
    'is answered with what is expected, as is --help',
    async () => {
      const { code, stdout, stderr } = await start(['--orders', '0']).ended;
      expect(code).toBe(2);
      expect(stderr).toContain("--orders: expected a whole number from 1 to 100000, got '0'.");
      expect(stderr).toContain('--orders N');
      expect(stdout).toBe('');
      const help = await start(['--help']).ended;
      expect(help.code).toBe(0);
      expect(help.stdout).toContain('--orders N');
    },
    TIMEOUT,
  );
});
