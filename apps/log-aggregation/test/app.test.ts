import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppProcess, type Ended, expectProved } from '@streamweld/app-kit/test';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type PostgresService, startPostgres } from '../../../tools/services/postgres.ts';

/** A net for what hangs: machines that run this are busy. */
const TIMEOUT = 120_000;
/** What a run proves where nothing goes wrong on purpose. */
const CHECKS = 11;
/** The first entries went through. */
const RUNS = /logs running: [1-9]/;
const MAIN = new URL('../src/main.ts', import.meta.url);

let folder: string;
let out: string;
const apps: AppProcess[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'logs-'));
  out = join(folder, 'out');
});
afterEach(async () => {
  for (const app of apps.splice(0)) await app.kill();
  await rm(folder, { recursive: true, force: true });
});

function start(args: readonly string[]): AppProcess {
  const app = new AppProcess(MAIN, ['--out', out, ...args]);
  apps.push(app);
  return app;
}

const run = (...args: string[]): Promise<Ended> => start(['--progress', 'plain', ...args]).ended;

/** A log with so many lines, of which every tenth is an error. */
async function logOf(lines: number): Promise<string> {
  const path = join(folder, 'shop.log');
  const line = (_: unknown, at: number) =>
    `${JSON.stringify({ level: at % 10 === 0 ? 50 : 30, time: 1e12 + at * 50, msg: `order ${at}` })}\n`;
  await writeFile(path, Array.from({ length: lines }, line).join(''));
  return path;
}

/** Lines of all files of a folder whose names match. */
async function linesIn(path: string, name: RegExp): Promise<string[]> {
  const names = await readdir(path, { recursive: true });
  const texts = await Promise.all(
    names.filter((each) => name.test(each)).map((each) => readFile(join(path, each), 'utf8')),
  );
  return texts.flatMap((text) => text.split('\n').filter(Boolean));
}

describe('log-aggregation', () => {
  it(
    'starts a site and its clients, and has every line of their logs in each of the four sinks',
    async () => {
      const ended = await run('--rounds', '1');
      expectProved(ended, CHECKS);
      const logs = await linesIn(join(out, 'logs'), /\.log$/);
      expect(logs.length).toBeGreaterThan(300);
      expect(logs.filter((line) => line.includes('"manual-crawler/1.0"')).length).toBeGreaterThan(90);
      const kept = await linesIn(join(out, 'files'), /^(site|crawler|checker).[a-z]+-\d{6}\.ndjson$/);
      expect(kept.map((line) => (JSON.parse(line) as { raw: string }).raw).sort()).toEqual(logs.sort());
      const counted = [...ended.stdout.matchAll(/logs_entries_total\{.*\} (\d+)/g)];
      expect(counted.reduce((sum, [, count]) => sum + Number(count), 0)).toBe(logs.length);
      const [, found] = /q=workspaces: (\d+) entries hold/.exec(ended.stdout) ?? [];
      expect(Number(found)).toBe(logs.filter((line) => /\bworkspaces\b/.test(line)).length);
      expect(await linesIn(join(out, 'missed'), /./)).toEqual([]);
    },
    TIMEOUT,
  );

  it(
    'serves until Ctrl-C, and is asked by another; a port that is taken is told',
    async () => {
      const app = start(['--file', await logOf(50), '--serve', '--progress', 'none']);
      await app.says(/Serving at (\S+) until Ctrl-C/);
      const [, url = ''] = /Serving at (\S+)/.exec(app.stdout) ?? [];
      const { port } = new URL(url);
      expect(await (await fetch(`${url}/metrics`)).text()).toContain(
        'logs_entries_total{service="shop",level="error"} 5\n',
      );
      const ask = (...args: string[]) => start(['query', ...args]).ended;
      expect(await ask('ORDER', '17')).toMatchObject({
        code: 0,
        stdout: "1 entry holds 'ORDER 17'\n  2001-09-09T01:46:40.850Z  shop  info  order 17\n",
      });
      expect(await ask('nowhere', '--port', port)).toMatchObject({
        code: 0,
        stdout: "no entry holds 'nowhere'\n",
      });
      const other = start(['--out', join(folder, 'other'), '--file', await logOf(1), '--port', port]);
      const taken = await other.ended;
      expect(taken.code).toBe(1);
      expect(taken.stderr).toMatch(new RegExp(`^LOGS_PORT_TAKEN: Port ${port} .*--port`, 'm'));
      const same = await run('--file', await logOf(1));
      expect(same.code).toBe(1);
      expect(same.stderr).toMatch(/^LOGS_FOLDER_IN_USE: .*--out/m);
      app.interrupt();
      expectProved(await app.ended, CHECKS);
      const gone = await ask('order');
      expect(gone.code).toBe(1);
      expect(gone.stderr).toMatch(/^LOGS_NOT_SERVED: .* --serve/m);
    },
    TIMEOUT,
  );

  it(
    'stops the clients at Ctrl-C, and has all that they wrote until then',
    async () => {
      const app = start(['--rounds', '1000', '--progress', 'plain']);
      await app.says(RUNS);
      app.interrupt();
      // It shares stderr with the producers: they have ended too.
      const ended = await app.ended;
      expectProved(ended, CHECKS);
      expect(ended.stderr).toContain('Stopping');
      const ends = (await linesIn(join(out, 'logs'), /crawler\.log$/)).filter((line) =>
        line.includes('"end"'),
      );
      expect(ends.length).toBeLessThan(1000);
    },
    TIMEOUT,
  );

  it(
    'leaves no producer behind when it is killed',
    async () => {
      const killed = start(['--rounds', '1000', '--progress', 'plain']);
      await killed.says(RUNS);
      // It is over when the producers are, too: they share stderr.
      await killed.kill();
    },
    TIMEOUT,
  );

  it(
    'follows a file, and reports at Ctrl-C what was read by then',
    async () => {
      const log = await logOf(5);
      const app = start(['--file', log, '--follow', '--progress', 'none']);
      await app.says(/search\?q=words/);
      await appendFile(log, 'nobody understands this\n');
      await app.says(/Alert · shop: a line that nobody understands \(shop\.log:6\)/);
      app.interrupt();
      const ended = await app.ended;
      expectProved(ended, CHECKS);
      expect(ended.stdout).toContain('6 lines were taken until it was stopped');
    },
    TIMEOUT,
  );

  it(
    'reads lines of any kind',
    async () => {
      const log = join(folder, 'odd.log');
      const odd = Buffer.from(
        '\uFEFFplain\r\n\n\0 zero\n{"level":30\n{"name":"../up","level":"warn"}\nünd \xFF\n',
      );
      await writeFile(log, Buffer.concat([odd, Buffer.from([0xff, 0xfe, 0x0a]), Buffer.from('no end')]));
      const ended = await run('--file', log, '--query', 'ünd');
      expectProved(ended, CHECKS);
      expect(ended.stderr).toContain('Alert · odd: a line that nobody understands (odd.log:1)');
      expect(ended.stdout).toContain('8 of 8 lines were read');
      expect(ended.stdout).toContain('logs_entries_total{service="_up",level="warn"} 1');
      expect(ended.stdout).toContain("1 entry holds 'ünd'");
    },
    TIMEOUT,
  );
});

describe('a sink in trouble', () => {
  it(
    'that is slow holds the others back, or drops what it has no room for: that is named, and all adds up',
    async () => {
      const log = await logOf(900);
      const held = await run('--file', log, '--slow', 'search');
      expectProved(held, CHECKS);
      expect(held.stdout).toContain(
        'search was the slowest: its buffer was full, and then it held all the others back',
      );
      // Five milliseconds an entry: all wait for it. What is dropped below, nobody has waited for.
      expect(entriesASecond(held)).toBeLessThanOrEqual(200);
      const dropping = await run('--file', log, '--slow', 'search', '--drop', 'search');
      expectProved(dropping, CHECKS);
      const [, dropped = ''] =
        /search was too slow for ([\d,]+) entries, and nobody waited/.exec(dropping.stdout) ?? [];
      const count = Number(dropped.replace(',', ''));
      expect(count).toBeGreaterThan(0);
      expect(await linesIn(join(out, 'dropped'), /^search\.ndjson$/)).toHaveLength(count);
      expect(dropping.stdout).toMatch(/✓ files +900 of 900 entries taken, 0 in neither/);
    },
    TIMEOUT,
  );

  it(
    'that fails for a while is tried again',
    async () => {
      const ended = await run('--file', await logOf(600), '--fail', 'alerts:3');
      expectProved(ended, CHECKS);
      expect(ended.stdout).toMatch(/alerts +600 +\d+ of 200 +\d+ % +3 +0 +0\n/);
    },
    TIMEOUT,
  );

  it(
    'that fails for good is given up, which is told and wrong; without the files there is no run',
    async () => {
      const log = await logOf(900);
      const { code, stdout } = await run('--file', log, '--fail', 'search');
      expect(code, stdout).toBe(1);
      expect(stdout).toContain('search failed for good, and was given up: It fails, as --fail asks for.');
      const [, ...numbers] =
        /✗ search +WRONG: ([\d,]+) of 900 entries taken, ([\d,]+) set aside, ([\d,]+) came after it was given up/.exec(
          stdout,
        ) ?? [];
      const [taken = 0, aside = 0, after = 0] = numbers.map(Number);
      expect(taken + aside + after).toBe(900);
      expect(await linesIn(join(out, 'missed'), /^search\.ndjson$/)).toHaveLength(aside);
      expect(stdout.match(/✓/g)).toHaveLength(CHECKS - 3);

      const failed = await run('--file', log, '--fail', 'files');
      expect(failed.code).toBe(1);
      expect(failed.stderr).toMatch(/^LOGS_FILES_FAILED: .*as --fail asks for.*--out/m);
      expect(failed.stdout).not.toContain('Proof');
    },
    TIMEOUT,
  );
});

function entriesASecond({ stdout }: Ended): number {
  const [, rate = ''] = /entries in .* s, ([\d,]+)\/s/.exec(stdout) ?? [];
  return Number(rate.replaceAll(',', ''));
}

describe('log-aggregation with a Postgres of yours', () => {
  let service: PostgresService;
  beforeAll(async () => {
    service = await startPostgres();
  });
  afterAll(() => service.stop());

  it(
    'keeps the index in it',
    async () => {
      const ended = await run('--file', await logOf(700), '--postgres', service.url, '--query', 'order 699');
      expectProved(ended, CHECKS);
      expect(ended.stdout).toMatch(/The index is in Postgres \d+/);
      expect(ended.stdout).toContain("1 entry holds 'order 699'");
      expect(ended.stdout + ended.stderr).not.toContain(service.url);
    },
    TIMEOUT,
  );

  it(
    'is shown on a page, and aborts at a second Ctrl-C, also where the database answers nothing',
    async () => {
      const app = start(['--rounds', '1000', '--postgres', service.url, '--inspect', '--progress', 'plain']);
      await app.says(RUNS);
      const [, page = '', token = ''] = /Look at (http:\/\/127\.0\.0\.1:\d+\/)#(\S+)/.exec(app.stderr) ?? [];
      expect(token.length).toBeGreaterThan(15);
      expect(await (await fetch(page)).text()).toContain('<html');
      const lock = new pg.Client(service.url);
      await lock.connect();
      await lock.query('begin; lock table streamweld_logs.entries in access exclusive mode');
      app.interrupt();
      await app.says(/Stopping/);
      app.interrupt();
      // The site and its clients are gone with it: they share stderr.
      const { code, stdout, stderr } = await app.ended;
      await lock.end();
      expect(code, stderr).toBe(130);
      expect(stderr).toContain('Aborted by a second Ctrl-C');
      expect(stdout).not.toContain('Proof');
    },
    TIMEOUT,
  );
});

describe('what log-aggregation cannot do', () => {
  it.each([
    [['--rounds', 'many'], /^--rounds: expected a whole number/],
    [['--file', 'nowhere.log'], /^--file: expected a file/],
  ])(
    'answers %j with what to do',
    async (args, message) => {
      const { code, stderr } = await start(args).ended;
      expect(code).toBe(2);
      expect(stderr).toMatch(message);
      expect(stderr).toContain('--serve          stays up');
    },
    TIMEOUT,
  );

  it(
    'says that a database does not answer, and that a folder is of somebody else',
    async () => {
      const probe = createServer().listen(0, '127.0.0.1');
      await once(probe, 'listening');
      const { port } = probe.address() as { port: number };
      probe.close();
      const away = await run(
        '--file',
        await logOf(1),
        '--postgres',
        `postgres://me:secret@127.0.0.1:${port}/logs`,
      );
      expect(away.code).toBe(1);
      expect(away.stderr).toMatch(/^LOGS_POSTGRES_UNAVAILABLE: .*ECONNREFUSED.*in memory/m);
      expect(away.stderr).not.toContain('secret');
      await rm(join(out, '.streamweld-logs'));
      await writeFile(join(out, 'mine.txt'), 'mine');
      const occupied = await run('--file', await logOf(1));
      expect(occupied.code).toBe(1);
      expect(occupied.stderr).toMatch(/^LOGS_FOLDER_UNUSABLE: .*--out/m);
      expect(await readFile(join(out, 'mine.txt'), 'utf8')).toBe('mine');
    },
    TIMEOUT,
  );
});
