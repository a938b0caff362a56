import {
  appendFile,
  chmod,
  copyFile,
  mkdtemp,
  readFile,
  rename,
  rm,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type AppProcess, expectProved } from '@streamweld/app-kit/test';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type PostgresService, startPostgres } from '../../../tools/services/postgres.ts';
import { line, lines } from './logs.ts';
import { ask, newDatabase, startApp, stored, untilStored } from './running.ts';

/** A net for what hangs: machines that run this are busy. */
const TIMEOUT = 240_000;

let folder: string;
let log: string;
let app: AppProcess | undefined;
let service: PostgresService;
let url: string;

beforeAll(async () => {
  service = await startPostgres({ from: ['local', 'embedded'] });
});
afterAll(() => service?.stop());
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'logs-'));
  log = join(folder, 'server.log');
  url = await newDatabase(service.url);
});
afterEach(async () => {
  await app?.kill();
  await rm(folder, { recursive: true, force: true });
});

/** With the log of the test, where no other input is named. It is ended after the test if it has not. */
function start(...args: readonly string[]): AppProcess {
  const input = args.some((each) => each === '--file' || each === '--requests') ? [] : ['--file', log];
  return (app = startApp(['--out', folder, ...input, ...args], url));
}

describe('log-processor with files of yours', () => {
  it(
    'stores each line once, and a second run adds what is new alone',
    async () => {
      await writeFile(log, lines(0, 3000));
      const first = await start().ended;
      expectProved(first, 8);
      expect(first.stdout).toContain('3,000 in the logs: 3,000 in Postgres, 0 damaged, 0 lost, 0 doubled');
      expect(first.stdout).toMatch(/ 404 +300 +10\.0 % +0 bytes/);
      expect(first.stdout).toMatch(/Slowest minute +2026-12-01 12:01, 60 requests; of 48 whole minutes/);
      expect(first.stdout).toMatch(/ConcurrentPipeline +[\d.]+ s +[\d,]+ rows\/s +[\d.]+ times as fast/);
      const [row] = await ask(url, 'select * from requests where line = 4');
      expect(row).toMatchObject({ host: '10.0.0.3', path: '/page/3', query: 'n=3', status: 404, bytes: '0' });
      expect(row).toMatchObject({ agent: 'an \\"agent\\" 3', referer: null, user_name: null });

      const again = await start('--no-compare').ended;
      expectProved(again, 7);
      expect(again.stdout).toContain('  0 lines in');
      expect(again.stdout).toContain('3,000 in the logs: 3,000 in Postgres, 0 damaged, 0 lost, 0 doubled');
      expect(await stored(url)).toEqual({ rows: 3000, lines: 3000 });

      await appendFile(log, lines(3000, 3010));
      expectProved(await start('--no-compare').ended, 7);
      expect(await stored(url)).toEqual({ rows: 3010, lines: 3010 });
    },
    TIMEOUT,
  );

  it(
    'keeps each damaged line with its number and the reason, and stores all others',
    async () => {
      const good = Array.from({ length: 40 }, (_, index) => line(index));
      const torn = line(1).slice(0, 70);
      await writeFile(
        log,
        Buffer.concat([
          Buffer.from([...good.slice(0, 20), '\n', `${torn}\n`, '\0\0\0\n', ...good.slice(20)].join('')),
          Buffer.from([0x61, 0xff, 0x0a]),
          Buffer.from('no end'),
        ]),
      );
      await writeFile(join(folder, 'more.log.gz'), gzipSync(`${lines(0, 5)}broken\n`));
      await writeFile(join(folder, 'named.log'), gzipSync(lines(5, 7)));
      const ended = await start('--file', join(folder, '*.log*')).ended;
      expectProved(ended, 7);
      expect(ended.stdout).toContain('53 in the logs: 47 in Postgres, 6 damaged, 0 lost');
      const letters = (await readFile(join(folder, 'damaged.ndjson'), 'utf8')).trimEnd().split('\n');
      const found = letters.map((letter) => {
        const { item, error } = JSON.parse(letter);
        return [item.file === log ? item.line : 'gz', error.code, error.message, item.text];
      });
      expect(found).toHaveLength(6);
      expect(found).toEqual(
        expect.arrayContaining([
          [21, 'LOGS_LINE_DAMAGED', 'is empty', ''],
          [22, 'LOGS_LINE_DAMAGED', expect.stringContaining('expected'), torn],
          [23, 'LOGS_LINE_DAMAGED', 'has a control character at column 1', '\0\0\0'],
          [44, 'LOGS_LINE_DAMAGED', 'has bytes that are not UTF-8 at column 2', 'a\ufffd'],
          [45, 'LOGS_LINE_DAMAGED', 'expected an identity, or - at column 4', 'no end'],
          ['gz', 'LOGS_LINE_DAMAGED', 'expected a host at column 1', 'broken'],
        ]),
      );
    },
    TIMEOUT,
  );

  it(
    'is killed with kill -9 again and again, and goes on until each line is stored once',
    async () => {
      const bad = Array.from({ length: 30 }, (_, index) => `damaged ${index}\n`);
      const parts = bad.map((each, index) => lines(index * 2000, (index + 1) * 2000) + each);
      await writeFile(log, parts.join(''));
      const all = 30 * 2000;
      for (const share of [0.1, 0.5]) {
        const running = start('--no-compare');
        await untilStored(url, all * share);
        running.child.kill('SIGKILL');
        await running.ended;
        const { rows, lines: distinct } = await stored(url);
        expect(rows).toBe(distinct);
        // It was killed in the middle, or this shows nothing.
        expect(rows).toBeLessThan(all);
      }
      const last = await start('--no-compare').ended;
      expectProved(last, 7);
      expect(last.stdout).toMatch(/Goes on with [\d,]+ requests that are stored/);
      expect(last.stdout).toContain('60,030 in the logs: 60,000 in Postgres, 30 damaged, 0 lost, 0 doubled');
      expect(await stored(url)).toEqual({ rows: all, lines: all });
    },
    TIMEOUT,
  );

  it(
    'waits for a database that goes away for a moment, while it follows',
    async () => {
      await writeFile(log, lines(0, 500));
      const running = start('--follow', '--no-compare');
      await untilStored(url, 500);
      await service.crash();
      await appendFile(log, lines(500, 900));
      await running.says(/retried/);
      await service.restart();
      await untilStored(url, 900);
      running.interrupt();
      const ended = await running.ended;
      expectProved(ended, 7);
      expect(ended.stdout).toMatch(/, [1-9]\d* written again/);
      expect(await stored(url)).toEqual({ rows: 900, lines: 900 });
    },
    TIMEOUT,
  );

  it(
    'follows a log that is copied and cut, as logrotate does with copytruncate',
    async () => {
      await writeFile(log, lines(0, 300));
      const running = start('--follow', '--no-compare');
      await untilStored(url, 300);
      await copyFile(log, `${log}.1`);
      await truncate(log);
      await appendFile(log, lines(300, 420));
      await untilStored(url, 420);
      running.interrupt();
      const ended = await running.ended;
      expectProved(ended, 7);
      expect(ended.stdout).toContain('420 lines in');
      // Of what was cut there is a copy, and no way to know it for one: it is not counted again, which is said.
      expect(ended.stdout).toContain('120 in the logs: 120 in Postgres, 0 damaged, 0 lost, 0 doubled');
      expect(ended.stdout).toContain('not counted again');
      const files = await ask(
        url,
        'select incarnation, count(*)::int as lines, max(line) as last from requests group by 1 order by 1',
      );
      expect(files).toEqual([
        { incarnation: 0, lines: 300, last: 300 },
        { incarnation: 1, lines: 120, last: 120 },
      ]);
    },
    TIMEOUT,
  );

  it(
    'follows a log through its rotation, and counts the rotated file again too',
    async () => {
      await writeFile(log, lines(0, 300));
      const running = start('--follow', '--no-compare');
      await untilStored(url, 300);
      await rename(log, `${log}.1`);
      await appendFile(`${log}.1`, lines(300, 350));
      await writeFile(log, `${lines(350, 600)}damaged\n`);
      await untilStored(url, 600);
      running.interrupt();
      const ended = await running.ended;
      expectProved(ended, 7);
      expect(ended.stderr).toContain('Stopping');
      expect(ended.stdout).toMatch(/60[01] in the logs: 600 in Postgres, [01] damaged, 0 lost, 0 doubled/);
      const files = await ask(
        url,
        'select incarnation, count(*)::int as lines, max(line) as last from requests group by 1 order by 1',
      );
      expect(files).toEqual([
        { incarnation: 0, lines: 350, last: 350 },
        { incarnation: 1, lines: 250, last: 250 },
      ]);

      // Compressed, it cannot be found by its number any more: that is said, and what is there is proved.
      await rm(`${log}.1`);
      const later = await start('--no-compare').ended;
      expectProved(later, 7);
      expect(later.stdout).toContain('not counted again');
    },
    TIMEOUT,
  );

  it(
    'says what is wrong where rows are lost, doubled or changed, and ends with 1',
    async () => {
      await writeFile(log, `${lines(0, 200)}damaged\n`);
      expectProved(await start().ended, 7);
      await ask(url, 'delete from requests where line = 7');
      await ask(url, 'insert into requests select * from requests where line = 9');
      await ask(url, 'update requests set bytes = bytes + 1 where line = 11');
      await writeFile(join(folder, 'damaged.ndjson'), '');
      const { code, stdout } = await start().ended;
      expect(code, stdout).toBe(1);
      expect(stdout).toMatch(
        /✗ lines +WRONG: 201 in the logs: 199 in Postgres, 0 damaged, 2 lost, 1 doubled/,
      );
      expect(stdout).toMatch(/✗ damaged +WRONG: 0 of 1 damaged line/);
      expect(stdout).toMatch(/✗ bytes +WRONG/);
      expect(stdout).toMatch(/✗ statuses +WRONG/);
      expect(stdout).toMatch(/✗ paths +WRONG: requests and bytes equal for 14 of 17/);
      expect(stdout).toMatch(/✗ minutes +WRONG/);
    },
    TIMEOUT,
  );
});

describe('log-processor with the site that it asks', () => {
  it(
    'follows the log of real requests, brings its Postgres along, and goes on with both',
    async () => {
      // Where it is run by root, its server runs as somebody else, who must be let in.
      await chmod(folder, 0o755);
      const alone = (...args: string[]) => (app = startApp(['--out', folder, '--no-compare', ...args]));
      const first = await alone('--requests', '400', '--inspect').ended;
      expectProved(first, 8);
      expect(first.stderr).toMatch(/Look at http:\/\/127\.0\.0\.1:\d+\/#\S+/);
      expect(first.stdout).toContain('403 in the logs: 400 in Postgres, 3 damaged, 0 lost');
      expect(first.stdout).toContain('were answered 400 times');
      const second = await alone('--requests', '100').ended;
      expectProved(second, 8);
      expect(second.stdout).toContain('506 in the logs: 500 in Postgres, 6 damaged, 0 lost');
      expect(second.stdout).toContain('were answered 100 times');
      const anew = await alone('--requests', '50', '--new').ended;
      expectProved(anew, 8);
      expect(anew.stdout).toContain('53 in the logs: 50 in Postgres, 3 damaged, 0 lost');
    },
    TIMEOUT,
  );

  it(
    'asks no more at Ctrl-C, reads the log to its end, and proves it',
    async () => {
      const running = start('--requests', '1000000');
      await untilStored(url, 100);
      running.interrupt();
      const ended = await running.ended;
      expect(ended.stderr).toContain('Stopping');
      expectProved(ended, 8);
      expect(ended.stdout).toContain('Stopped after');
      expect(ended.stdout).not.toContain('one after the other');
    },
    TIMEOUT,
  );

  it(
    'aborts at a second Ctrl-C, also where the database answers nothing',
    async () => {
      const running = start('--requests', '1000000');
      await untilStored(url, 1);
      const lock = new pg.Client(url);
      await lock.connect();
      await lock.query('begin; lock table streamweld_logs.requests in access exclusive mode');
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

describe('what log-processor cannot do', () => {
  it(
    'is said where no Postgres answers at the URL; no password is told',
    async () => {
      await writeFile(log, line(1));
      url = 'postgres://me:planted@127.0.0.1:1/mine';
      const { code, stderr } = await start().ended;
      expect(code).toBe(1);
      expect(stderr).toMatch(/^LOGS_POSTGRES_UNAVAILABLE: .* cannot be used: .*ECONNREFUSED/m);
      expect(stderr).toContain('--postgres URL');
      expect(stderr).not.toContain('planted');
    },
    TIMEOUT,
  );

  it(
    'is said where the database belongs to another folder, until it is given up by --new',
    async () => {
      await writeFile(log, lines(0, 10));
      expectProved(await start().ended, 7);
      const elsewhere = join(folder, 'elsewhere');
      const refused = await start('--out', elsewhere).ended;
      expect(refused.code).toBe(1);
      expect(refused.stderr).toMatch(/^LOGS_RUN_ELSEWHERE: /m);
      expect(refused.stderr).toContain(`--out ${folder}\n`);
      expectProved(await start('--out', elsewhere, '--new').ended, 7);
    },
    TIMEOUT,
  );

  it(
    'is answered with what is expected, as is --help',
    async () => {
      const { code, stdout, stderr } = await start('--file', join(folder, 'none.log')).ended;
      expect(code).toBe(2);
      expect(stderr).toContain(
        `--file: expected a log, got '${join(folder, 'none.log')}', which is not there.`,
      );
      expect(stderr).toContain('--requests N');
      expect(stdout).toBe('');
      const help = await start('--help').ended;
      expect(help.code).toBe(0);
      expect(help.stdout).toContain('--requests N');
      await writeFile(join(folder, 'file'), '');
      await writeFile(log, line(1));
      const unusable = await start('--out', join(folder, 'file', 'out')).ended;
      expect(unusable.code).toBe(1);
      expect(unusable.stderr).toMatch(/^LOGS_FOLDER_UNUSABLE: .*ENOTDIR.*--out/m);
    },
    TIMEOUT,
  );
});
