import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const LIMIT = 100_000;

let folder: string;
const children: ChildProcess[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'flights-'));
});

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

/** The demo, as `pnpm demo` starts it. */
class Demo {
  readonly child: ChildProcess;
  readonly code: Promise<number | null>;
  stdout = '';
  stderr = '';
  #waiting: { pattern: RegExp; seen: () => void } | undefined;

  constructor(...args: readonly string[]) {
    this.child = spawn(
      process.execPath,
      ['--conditions=@streamweld/source', '--import', 'tsx', main, ...args],
      { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, NO_COLOR: '1' } },
    );
    children.push(this.child);
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
      if (this.#waiting?.pattern.test(this.stderr) === true) this.#waiting.seen();
    });
    this.code = once(this.child, 'close').then(([code]) => code as number | null);
  }

  /** Resolves when stderr has it. */
  says(pattern: RegExp): Promise<void> {
    return new Promise((seen) => {
      this.#waiting = { pattern, seen };
      if (pattern.test(this.stderr)) seen();
    });
  }
}

describe('the demo', () => {
  it('runs all acts, proves what came out, and leaves the files it speaks of', async () => {
    const demo = new Demo('--', '--limit', String(LIMIT), '--progress', 'plain', '--out', folder);
    expect(await demo.code, demo.stderr).toBe(0);

    expect(demo.stdout).toContain(folder);
    expect(demo.stdout).toMatch(/one after the other +[\d.]+ s +[\d,]+ flights\/s/);
    expect(demo.stdout).toMatch(/ConcurrentPipeline +[\d.]+ s +[\d,]+ flights\/s/);
    expect(demo.stdout).toMatch(/statistics +100,000/);
    expect(demo.stdout).toMatch(/gzip level 9 +[\d,]+ +\d+ %/);
    expect(demo.stdout).toMatch(/partition 7 +[\d,]+/);
    expect(demo.stdout).toContain('100,000 in, 100,000 dispatched, 100,000 read back from 223 files');
    expect(demo.stdout).toContain('0 lost, 0 doubled, 0 out of order, 0 in the wrong file');
    expect(demo.stdout).toContain('longest on-time run equal at 223 of 223 airports');
    expect(demo.stdout).toMatch(/The latest airport +[A-Z]{3}: [\d.]+ % of flights late/);
    expect(demo.stdout).toMatch(/The longest on-time run +[A-Z]{3}: [\d,]+ flights in a row/);
    expect(demo.stdout).toMatch(/at most \d+ MB of memory/);
    expect(demo.stdout).not.toContain('WRONG');
    expect(demo.stdout.match(/✓/g)).toHaveLength(11);
    expect(demo.stderr).toMatch(/Act 2, partition …/);
    // Nothing but text: escape sequences are for terminals.
    expect(demo.stdout + demo.stderr).not.toContain('\u001B');

    expect((await readdir(folder)).sort()).toEqual([
      'airports',
      'flights.csv.gz',
      'one-after-the-other.ndjson.gz',
      'pipeline.ndjson.gz',
      'survived',
      'very-late.ndjson',
      'worker-1.ndjson.gz',
      'worker-6.ndjson.gz',
      'worker-8.ndjson.gz',
      'worker-9.ndjson.gz',
    ]);
    const airports = await readdir(join(folder, 'airports'));
    expect(airports).toHaveLength(223);
    expect(await linesOf(join(folder, 'flights.csv.gz'))).toBe(LIMIT + 1);
    const lines = await Promise.all(airports.map((name) => linesOf(join(folder, 'airports', name))));
    expect(lines.reduce((sum, count) => sum + count)).toBe(LIMIT);
  }, 60_000);

  it('is killed and goes on, row by row where it was, until nothing is missing', async () => {
    const demo = new Demo('--act', '3', '--limit', String(LIMIT), '--progress', 'plain', '--out', folder);
    expect(await demo.code, demo.stderr).toBe(0);
    const resumed = [...demo.stdout.matchAll(/told of row +([\d,]+), went on from +([\d,]+)/g)];
    expect(resumed.length).toBeGreaterThan(0);
    expect(demo.stdout).toContain(`killed ${resumed.length === 1 ? 'once' : `${resumed.length} times`}`);
    expect(demo.stdout).toContain(
      '100,000 in, 100,000 read back from one file, 0 lost, 0 doubled, 0 out of order',
    );
    expect(demo.stdout.match(/✓ kill -9/g)).toHaveLength(2);
    expect(await linesOf(join(folder, 'survived', 'flights.ndjson.gz'))).toBe(LIMIT);
  }, 60_000);

  it('finishes what is on its way at Ctrl-C, proves it and reports', async () => {
    const demo = new Demo('--act', '2', '--slow', '--progress', 'plain', '--out', folder);
    await demo.says(/Act 2, broadcast: [1-9][\d,]* of 3,000,000/);
    demo.child.kill('SIGINT');
    expect(await demo.code, demo.stderr).toBe(0);

    expect(demo.stderr).toContain('Stopping');
    expect(demo.stdout).toContain('stopped before the end');
    expect(demo.stdout).toMatch(/✓ broadcast +flights, late ones and delays equal at (\d+) of \1 airports/);
    expect(demo.stdout).not.toMatch(/Act 2 · demand|WRONG/);
    expect(demo.stdout).toContain('Stopped after');
    const [, flights] = /([\d,]+) flights in [\d.]+ s/.exec(demo.stdout) as unknown as [string, string];
    expect(await linesOf(join(folder, 'flights.csv.gz'))).toBe(Number(flights.replaceAll(',', '')) + 1);
  }, 60_000);

  it('aborts at a second Ctrl-C, and shows no file that was not finished', async () => {
    const demo = new Demo('--act', '2', '--slow', '--progress', 'plain', '--out', folder);
    await demo.says(/Act 2, broadcast: [1-9]/);
    demo.child.kill('SIGINT');
    await demo.says(/Stopping/);
    demo.child.kill('SIGINT');
    expect(await demo.code, demo.stderr).toBe(130);
    expect(demo.stderr).toContain('Aborted by a second Ctrl-C');
    expect(demo.stdout).not.toContain('Proof');
    // A sink that was flushed before the second Ctrl-C has promised what it holds: it keeps it, out of sight, under a
    // name of a temporary. One that was not has removed it. Which of the two it was depends on who was quicker.
    const isKept = (name: string): boolean =>
      /^\.(flights\.csv\.gz|very-late\.ndjson)\.\w{8}\.tmp$/.test(name);
    expect((await readdir(folder)).filter((name) => !isKept(name))).toEqual(['airports']);
    expect(await readdir(join(folder, 'airports'))).toEqual([]);
  }, 60_000);

  it.each([
    [['--limit', '0'], "--limit: expected a whole number from 1 to 3000000, got '0'."],
    [['--limit', '1.5'], '--limit: expected a whole number'],
    [['--act', '4'], "--act: expected one of all, 1, 2, 3, got '4'."],
    [['--progress', 'fancy'], "--progress: expected one of auto, tty, plain, none, got 'fancy'."],
    [['--out', ''], '--out: expected the path of a folder'],
    [['--fast'], "Unknown option '--fast'"],
    [['surprise'], "Unexpected argument 'surprise'"],
  ])(
    'answers %j with what it expects',
    async (args, message) => {
      const demo = new Demo(...args);
      expect(await demo.code).toBe(2);
      expect(demo.stderr).toContain(message);
      expect(demo.stderr).toContain('--limit N');
      expect(demo.stdout).toBe('');
    },
    60_000,
  );

  it('explains itself', async () => {
    const demo = new Demo('--help');
    expect(await demo.code).toBe(0);
    expect(demo.stdout).toContain('--limit N');
  }, 60_000);
});

async function linesOf(path: string): Promise<number> {
  return gunzipSync(await readFile(path))
    .toString()
    .trimEnd()
    .split('\n').length;
}
