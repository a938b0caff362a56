/** Without a terminal: the table, held against what was asked for. */

import { AppProcess } from '@streamweld/app-kit/test';
import { afterEach, describe, expect, it } from 'vitest';

const main = new URL('../src/main.ts', import.meta.url);
let app: AppProcess | undefined;
afterEach(() => app?.kill());

/** @returns the app, which is ended after the test if it has not. */
function start(args: string): AppProcess {
  return (app = new AppProcess(main, args.split(' ').filter(Boolean)));
}

const run = (args: string) => start(args).ended;

/** The rows of the table, by mode: time in seconds, items a second, ratio, share of the possible, percent at the sinks. */
function rowsOf(stdout: string) {
  return new Map(
    [...stdout.matchAll(/^ {2}(\w+) +([\d.]+) s +([\d,.]+) +([\d.–]+) +(\d+) % {2}([\d ]+) %$/gmu)].map(
      ([, mode, seconds, rate, ratio, possible, shares]) => [
        mode as string,
        {
          seconds: Number(seconds),
          rate: Number(rate?.replaceAll(',', '')),
          ratio: Number(ratio),
          possible: Number(possible),
          shares: (shares as string).split(' ').map(Number),
        },
      ],
    ),
  );
}

/** Of the lines of proof: how many items each sink was given. */
function countsOf(stdout: string, mode: string): number[] {
  const counts = new RegExp(`✓ ${mode} [^✓]*?\\(([\\d, \\n]+)\\)`, 'u').exec(stdout)?.[1] ?? '';
  return counts.split(/,\s+/).map(Number);
}

describe('without a terminal', () => {
  it('compares all modes, and the table says of each what speeds and items make of it', async () => {
    const { code, stdout, stderr } = await run('--source 4ms --sinks 8ms,16ms,32ms --items 120');
    expect([code, stderr]).toEqual([0, expect.stringContaining('partition completed')]);
    expect(stdout).toContain(
      '120 items. One takes the source 4 ms, and the sinks 8, 16 and 32 ms: timed waiting',
    );
    const rows = rowsOf(stdout);
    expect([...rows.keys()]).toEqual(['sequential', 'concurrent', 'broadcast', 'demand', 'partition']);

    // Never faster than the speeds allow, by a little at most for what a timer makes up for.
    const most = {
      sequential: 1000 / 12,
      concurrent: 1000 / 8,
      broadcast: 1000 / 32,
      demand: 1000 / 8 + 1000 / 16 + 1000 / 32,
    };
    for (const [mode, rate] of Object.entries(most)) expect(rows.get(mode)?.rate).toBeLessThan(rate * 1.05);
    const { sequential, broadcast, demand } = Object.fromEntries(rows);
    // How much slower, the machine decides: only what is far apart is compared.
    expect(broadcast?.ratio).toBeLessThan(0.7);
    expect(demand?.rate).toBeGreaterThan((broadcast?.rate ?? 0) * 2);
    for (const { ratio, rate } of rows.values()) {
      const base = sequential?.rate ?? 0;
      // All three are rounded.
      expect(Math.abs(ratio - rate / base)).toBeLessThan(0.01 + (0.6 * (1 + ratio)) / base);
    }

    expect(broadcast?.shares).toEqual([100, 100, 100]);
    expect(countsOf(stdout, 'broadcast')).toEqual([120, 120, 120]);
    for (const mode of ['demand', 'partition']) {
      const counts = countsOf(stdout, mode);
      expect(counts.reduce((sum, count) => sum + count, 0)).toBe(120);
      expect(rows.get(mode)?.shares).toEqual(counts.map((count) => Math.round((100 * count) / 120)));
    }
    const [fast = 0, , slow = 0] = countsOf(stdout, 'demand');
    expect(fast).toBeGreaterThan(2 * slow);
    expect(stdout.match(/✓/gu)).toHaveLength(5);
    expect(stdout).not.toContain('WRONG');
    // Nothing but text: escape sequences are for terminals.
    expect(stdout + stderr).not.toContain('\u001B');
  });

  it('runs what is named, with the same keys for the same seed', async () => {
    const args = '--mode partition --sinks 0,0,0,0 --source 0 --items 1000 --progress none';
    const [one, again, other] = [
      await run(`${args} --seed 3`),
      await run(`${args} --seed 3`),
      await run(`${args} --seed 4`),
    ];
    expect([one.code, one.stderr]).toEqual([0, '']);
    expect([...rowsOf(one.stdout).keys()]).toEqual(['partition']);
    expect(one.stdout).toContain('12 keys, each at one of 4 sinks, in order');
    const counts = countsOf(one.stdout, 'partition');
    expect([counts.length, counts.reduce((sum, count) => sum + count)]).toEqual([4, 1000]);
    expect(countsOf(again.stdout, 'partition')).toEqual(counts);
    expect(countsOf(other.stdout, 'partition')).not.toEqual(counts);
  });

  it.each([
    [
      '--mode fast',
      "--mode: expected one of sequential, concurrent, broadcast, demand, partition, all, got 'fast'.",
    ],
    ['--sinks 5ms,soon', "--sinks: expected a time from 0ms to 1s, as 2ms or 0.5ms, got 'soon'."],
    ['--fast', "'--fast'"],
  ])('answers %s with what can be given', async (args, message) => {
    const { code, stdout, stderr } = await run(args);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(message);
    expect(stderr).toContain('--sinks TIMES');
  });

  it('tells what can be given', async () => {
    const { code, stdout } = await run('--help');
    expect([code, stdout]).toEqual([0, expect.stringContaining('--sinks TIMES')]);
  });

  it('shows it on a page too, where that is asked for', async () => {
    const running = start('--inspect --sinks 5ms --items 100000 --mode concurrent');
    await running.says(/#\S+\n/u);
    const [, origin, token] = /Look at (http:\/\/127\.0\.0\.1:\d+\/)#(\S+)/u.exec(running.stderr) ?? [];
    const page = await fetch(origin as string);
    expect([page.status, await page.text()]).toEqual([200, expect.stringContaining('<html')]);
    expect(token?.length).toBeGreaterThan(15);
    running.interrupt();
    expect((await running.ended).code).toBe(0);
  });

  it('delivers what is on its way at Ctrl-C, and proves it; what has not begun is left out', async () => {
    const running = start('--sinks 5ms,20ms --items 100000 --mode demand,partition --progress json');
    await running.says(/"written":[1-9]/u);
    running.interrupt();
    const { code, stdout, stderr } = await running.ended;
    expect([code, stderr]).toEqual([0, expect.stringContaining('Ctrl-C again ends it.')]);
    expect([...rowsOf(stdout).keys()]).toEqual(['demand']);
    const items = Number(/✓ demand +([\d,]+) items in/u.exec(stdout)?.[1]?.replaceAll(',', ''));
    expect(countsOf(stdout, 'demand').reduce((sum, count) => sum + count)).toBe(items);
    expect(items).toBeLessThan(100_000);
    expect(stdout).toContain('Stopped before the end');
  });

  it('ends at a second Ctrl-C, and proves nothing', async () => {
    const running = start('--sinks 1s --items 100 --mode concurrent --source 0');
    await running.says(/100 items/);
    running.interrupt();
    await running.says(/Ctrl-C again/);
    running.interrupt();
    const { code, stdout, stderr } = await running.ended;
    expect(code).toBe(130);
    expect(stderr).toContain('Ended by a second Ctrl-C');
    expect(stdout).not.toContain('Proofs');
  });
});
