import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type AppProcess, describeWithOwnPostgres } from '@streamweld/app-kit/test';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cleanUp, isAlive, linesOf, openFolder, serverFolders, serverPid, startDemo } from './demo.ts';

const LIMIT = 100_000;
/** A net for what hangs: machines that run this are busy. */
const TIMEOUT = 120_000;

let folder: string;
let demo: AppProcess | undefined;

beforeEach(async () => {
  folder = await openFolder();
});

afterEach(() => cleanUp(folder, demo));

/** @returns the demo, which is ended after the test if it has not. */
function start(args: readonly string[], env?: NodeJS.ProcessEnv): AppProcess {
  return (demo = startDemo(folder, ['--progress', 'plain', ...args], env));
}

describeWithOwnPostgres('the demo', () => {
  it(
    'runs all acts, proves what came out, and leaves the files it speaks of',
    async () => {
      const { code, stdout, stderr } = await start(['--limit', String(LIMIT)]).ended;
      expect(code, stderr).toBe(0);

      expect(stdout).toContain(join(folder, 'out'));
      expect(stdout).toMatch(/Postgres \d+\.\d+, brought along: started in [\d.]+ s/);
      expect(stdout).toMatch(/one after the other +[\d.]+ s +[\d,]+ flights\/s/);
      expect(stdout).toMatch(/ConcurrentPipeline +[\d.]+ s +[\d,]+ flights\/s/);
      expect(stdout).toMatch(/statistics +100,000/);
      expect(stdout).toMatch(/postgres +100,000/);
      expect(stdout).toMatch(/gzip level 9 +[\d,]+ +\d+ %/);
      expect(stdout).toMatch(/partition 7 +[\d,]+/);
      expect(stdout).toContain('both tables hold the same 100,000 flights');
      expect(stdout).toContain('100,000 in, 100,000 dispatched, 100,000 back from 223 files');
      expect(stdout).toContain('0 lost, 0 doubled, 0 out of order, 0 in the wrong file');
      expect(stdout).toContain('longest on-time run equal at 223 of 223 airports');
      expect(stdout.match(/100,000 in, 100,000 in Postgres, 0 lost, 0 doubled/g)).toHaveLength(2);
      expect(stdout.match(/equal in Postgres at 223 of 223 airports/g)).toHaveLength(2);
      expect(stdout).toMatch(/The latest airport +[A-Z]{3}: [\d.]+ % of flights late/);
      expect(stdout).toMatch(/The longest on-time run +[A-Z]{3}: [\d,]+ flights in a row/);
      expect(stdout).toMatch(/When to fly, by SQL +leave at \d+:00 \([\d.]+ % late\), not at \d+:00/);
      expect(stdout).toMatch(/at most \d+ MB of memory/);
      expect(stdout).not.toContain('WRONG');
      expect(stdout.match(/✓/g)).toHaveLength(15);
      expect(stderr).toMatch(/Act 2, partition …/);
      // Nothing but text: escape sequences are for terminals.
      expect(stdout + stderr).not.toContain('\u001B');

      const out = join(folder, 'out');
      expect((await readdir(out)).sort()).toEqual([
        'airports',
        'flights.csv.gz',
        'very-late.ndjson',
        'worker-1.ndjson.gz',
        'worker-6.ndjson.gz',
        'worker-8.ndjson.gz',
        'worker-9.ndjson.gz',
      ]);
      const airports = await readdir(join(out, 'airports'));
      expect(airports).toHaveLength(223);
      expect(await linesOf(join(out, 'flights.csv.gz'))).toBe(LIMIT + 1);
      const lines = await Promise.all(airports.map((name) => linesOf(join(out, 'airports', name))));
      expect(lines.reduce((sum, count) => sum + count)).toBe(LIMIT);
      expect(await serverFolders(folder)).toEqual([]);
    },
    TIMEOUT,
  );

  it(
    'is killed and goes on, rows and position at one in Postgres each time, until nothing is missing',
    async () => {
      const { code, stdout, stderr } = await start(['--act', '3', '--limit', String(LIMIT)]).ended;
      expect(code, stderr).toBe(0);
      const kills = [...stdout.matchAll(/told of row +([\d,]+); +([\d,]+) rows there/g)];
      expect(kills.length).toBeGreaterThan(0);
      expect(stdout).toContain(`rows and position were one after ${kills.length} of ${kills.length} kills`);
      expect(stdout).toContain('100,000 in, 100,000 in Postgres, 0 lost, 0 doubled');
      expect(stdout).toContain('equal in Postgres at 223 of 223 airports');
      expect(stdout.match(/✓ kill -9/g)).toHaveLength(4);
      expect(await serverFolders(folder)).toEqual([]);
    },
    TIMEOUT,
  );

  it(
    'finishes what is on its way at Ctrl-C, proves it and reports; the server lives as long',
    async () => {
      const running = start(['--act', '2', '--slow']);
      await running.says(/Act 2, broadcast: [1-9][\d,]* of 3,000,000/);
      const server = await serverPid(folder);
      running.interrupt();
      const { code, stdout, stderr } = await running.ended;
      expect(code, stderr).toBe(0);

      expect(stderr).toContain('Stopping');
      expect(stdout).toContain('stopped before the end');
      expect(stdout).toMatch(/✓ broadcast +flights, late ones and delays equal at (\d+) of \1 airports/);
      expect(stdout).toMatch(/✓ broadcast +([\d,]+) in, \1 in Postgres, 0 lost, 0 doubled/);
      expect(stdout).not.toMatch(/Act 2 · demand|WRONG/);
      expect(stdout).toContain('Stopped after');
      const flights = /([\d,]+) flights in [\d.]+ s/.exec(stdout)?.[1] ?? 'none';
      expect(await linesOf(join(folder, 'out', 'flights.csv.gz'))).toBe(
        Number(flights.replaceAll(',', '')) + 1,
      );
      expect(isAlive(server)).toBe(false);
      expect(await serverFolders(folder)).toEqual([]);
    },
    TIMEOUT,
  );

  it(
    'aborts at a second Ctrl-C, and shows no file that was not finished',
    async () => {
      const running = start(['--act', '2', '--slow']);
      await running.says(/Act 2, broadcast: [1-9]/);
      const server = await serverPid(folder);
      running.interrupt();
      await running.says(/Stopping/);
      running.interrupt();
      const { code, stdout, stderr } = await running.ended;
      expect(code, stderr).toBe(130);
      expect(stderr).toContain('Aborted by a second Ctrl-C');
      expect(stdout).not.toContain('Proof');
      // A sink that was flushed before the second Ctrl-C has promised what it holds: it keeps it, out of sight, under a
      // name of a temporary. One that was not has removed it. Which of the two it was depends on who was quicker.
      const isKept = (name: string): boolean =>
        /^\.(flights\.csv\.gz|very-late\.ndjson)\.\w{8}\.tmp$/.test(name);
      const out = join(folder, 'out');
      expect((await readdir(out)).filter((name) => !isKept(name))).toEqual(['airports']);
      expect(await readdir(join(out, 'airports'))).toEqual([]);
      expect(isAlive(server)).toBe(false);
      expect(await serverFolders(folder)).toEqual([]);
    },
    TIMEOUT,
  );

  it.each([
    ['--act', '1'],
    ['--act', '3'],
  ])(
    'leaves no server behind when a second Ctrl-C ends %s %s',
    async (...act) => {
      const running = start([...act, '--slow']);
      await running.says(/Act \d, .*: [1-9][\d,]* of 3,000,000|Act \d, .*: [1-9][\d,]* of 1,000,000/);
      const server = await serverPid(folder);
      running.interrupt();
      await running.says(/Stopping/);
      running.interrupt();
      const { code, stderr } = await running.ended;
      expect(code, stderr).toBe(130);
      expect(isAlive(server)).toBe(false);
      expect(await serverFolders(folder)).toEqual([]);
    },
    TIMEOUT,
  );

  it(
    'leaves no server behind when it is killed itself',
    async () => {
      const running = start(['--act', '3']);
      await running.says(/Act 3, .*: [1-9][\d,]* of 3,000,000/);
      const server = await serverPid(folder);
      running.child.kill('SIGKILL');
      await running.ended;
      expect(isAlive(server)).toBe(false);
      expect(await serverFolders(folder)).toEqual([]);
    },
    TIMEOUT,
  );

  it(
    'fails when its server does, and leaves nothing of it behind',
    async () => {
      const running = start(['--act', '2']);
      await running.says(/Act 2, broadcast: [1-9]/);
      process.kill(await serverPid(folder), 'SIGKILL');
      const { code, stdout, stderr } = await running.ended;
      expect(code).toBe(1);
      expect(stderr).toContain('SW_POSTGRES_');
      expect(stdout).not.toContain('Done');
      expect(await serverFolders(folder)).toEqual([]);
    },
    TIMEOUT,
  );
});

describe('the demo without Postgres', () => {
  it(
    'says what is left out, and proves the rest',
    async () => {
      const { code, stdout, stderr } = await start(['--no-postgres', '--limit', String(LIMIT)]).ended;
      expect(code, stderr).toBe(0);
      expect(stdout).toContain('Without Postgres: no act 1');
      expect(stdout).not.toMatch(/Act 1|in Postgres|postgres +\d/);
      const resumed = [...stdout.matchAll(/told of row +([\d,]+); went on from +([\d,]+)/g)];
      expect(resumed.length).toBeGreaterThan(0);
      expect(stdout).toContain(`killed ${resumed.length === 1 ? 'once' : `${resumed.length} times`}`);
      expect(stdout).toContain(
        '100,000 in, 100,000 read back from one file, 0 lost, 0 doubled, 0 out of order',
      );
      expect(stdout.match(/✓/g)).toHaveLength(10);
      expect(stdout).not.toContain('WRONG');
      expect(await linesOf(join(folder, 'out', 'survived', 'flights.ndjson.gz'))).toBe(LIMIT);
    },
    TIMEOUT,
  );

  it(
    'is offered, by a code, where a server of yours does not answer; no password is told',
    async () => {
      const { code, stderr } = await start([], {
        STREAMWELD_POSTGRES_URL: 'postgres://me:planted@127.0.0.1:1/mine',
      }).ended;
      expect(code).toBe(1);
      expect(stderr).toMatch(/^FLIGHTS_POSTGRES_UNAVAILABLE: .* cannot be used: .*ECONNREFUSED/m);
      expect(stderr).toContain('--no-postgres');
      expect(stderr).not.toContain('planted');
    },
    TIMEOUT,
  );
});

describe('the arguments of the demo', () => {
  it.each([
    [['--limit', '0'], "--limit: expected a whole number from 1 to 3000000, got '0'."],
    [['--limit', '1.5'], '--limit: expected a whole number'],
    [['--act', '4'], "--act: expected one of all, 1, 2, 3, got '4'."],
    [['--progress', 'fancy'], "--progress: expected one of auto, tty, plain, none, got 'fancy'."],
    [['--out', ''], '--out: expected the path of a folder'],
    [['--postgres', 'localhost'], '--postgres: expected a URL'],
    [['--no-postgres', '--postgres', 'postgres://localhost'], '--no-postgres: expected alone'],
    [['--no-postgres', '--act', '1'], '--no-postgres: expected another act than 1'],
    [['--fast'], "Unknown option '--fast'"],
    [['surprise'], "Unexpected argument 'surprise'"],
  ])(
    'answers %j with what it expects',
    async (args, message) => {
      const { code, stdout, stderr } = await start(args).ended;
      expect(code).toBe(2);
      expect(stderr).toContain(message);
      expect(stderr).toContain('--limit N');
      expect(stdout).toBe('');
    },
    TIMEOUT,
  );

  it(
    'are explained',
    async () => {
      const { code, stdout } = await start(['--help']).ended;
      expect(code).toBe(0);
      expect(stdout).toContain('--limit N');
    },
    TIMEOUT,
  );
});
