/** In a terminal: what is drawn, what the keys do, and that the terminal is as it was at the end. */

import { stripVTControlCharacters } from 'node:util';
import { AppProcess, hasTerminal } from '@streamweld/app-kit/test';
import { afterEach, describe, expect, it } from 'vitest';

const main = new URL('../src/main.ts', import.meta.url);
let app: AppProcess;
afterEach(() => app.kill());

const BEGIN_FRAME = '\u001B[?2026h';
const RIGHT = '\u001B[C';
const LEFT = '\u001B[D';
const DOWN = '\u001B[B';
const TAKE = '\u001B[?1049h\u001B[?25l';
const GIVE_BACK = '\u001B[?25h\u001B[?1049l';

if (!hasTerminal) console.warn('Skipped: tests in a terminal. They need `script` of util-linux.');

function start(args: readonly string[], tail?: string): void {
  app = new AppProcess(main, args, { terminal: true, tail });
}

async function endCode(): Promise<number | null> {
  return (await app.ended).code;
}

/** What the terminal shows now of what is drawn again and again. */
function frame(): string {
  return stripVTControlCharacters(app.stdout.slice(app.stdout.lastIndexOf(BEGIN_FRAME)));
}

/** Waits until what is drawn matches. */
function sees(pattern: RegExp): Promise<void> {
  return app.until(`showing ${pattern}`, () => pattern.test(frame()));
}

/** What stands on the screen that it was started from, after it was given back; lines may be broken anywhere. */
function left(): string {
  const at = app.stdout.lastIndexOf(GIVE_BACK);
  return at < 0 ? '' : app.stdout.slice(at + GIVE_BACK.length).replaceAll(/\s+/gu, ' ');
}

describe.skipIf(!hasTerminal)('in a terminal', () => {
  it('shows items, buffers and demand move, and the keys change speeds and mode', async () => {
    start('--mode demand --source 10ms --sinks 5ms,200ms'.split(' '));
    await sees(/^demand: each item to the sink with the most free demand +running/mu);
    await sees(/▸ source +10 ms +[1-9]/u);
    await sees(/sink 2 +200 ms {2}(?:●●|●·|··) +[012] +[1-9]/u);
    expect(frame()).toMatch(/an item {2}buffer +demand +items +share +items\/s +busy {2}keys/u);
    // Each line fits.
    for (const line of frame().split(/\r*\n/u)) expect(line.length).toBeLessThan(80);

    app.press(RIGHT);
    await sees(/▸ source +7 ms/u);
    app.press(DOWN + DOWN + LEFT);
    await sees(/▸ sink 2 +300 ms/u);
    app.press(' ');
    await sees(/paused/u);
    await sees(/Paused: nothing is read/u);
    app.press(' ');
    await sees(/running/u);

    app.press('5');
    await sees(/partition: each item to the sink of its key/u);
    // The last run was proved, and its speeds are kept.
    expect(frame()).toMatch(/✓ demand: [\d,]+ items in, each once in all/u);
    expect(frame()).toMatch(/source +7 ms/u);
    expect(frame()).toMatch(/▸ sink 2 +300 ms/u);
    await sees(/sink 1 +5 ms {2}[●·]{10} +\d+ +[1-9]/u);
    // Then what is on its way has not to wait for so long.
    app.press(RIGHT.repeat(20));
    await sees(/▸ sink 2 +0 ms/u);
    app.press('q');
    expect(await endCode()).toBe(0);
    expect(left()).toMatch(/demand: [\d,]+ items in [\d.]+ s/u);
    expect(left()).toMatch(/✓ demand +[\d,]+ items in, each once in all, at one of 2 sinks \(\d+, \d+\)/u);
    expect(left()).toMatch(/✓ partition +[\d,]+ items in, each once/u);
    expect([app.stdout.split(TAKE).length, app.stdout.split(GIVE_BACK).length]).toEqual([2, 2]);
  });

  it('asks what to show, shows it, and asks again', async () => {
    start(['--sinks', '1ms']);
    await app.until('a question', () => app.stdout.includes('What do you want to see?'));
    app.press(`${DOWN}\r`);
    await sees(/^concurrent: source and sink at once/mu);
    app.press('q');
    await app.until('asking again', () => left().includes('What do you want to see?'));
    expect(left()).toMatch(/✓ concurrent +[\d,]+ items in, each once, in order/u);
    // Up, from the first, is the last.
    app.press('\u001B[A\r');
    expect(await endCode()).toBe(0);
  });

  it('takes other speeds, and says what is wrong with them', async () => {
    start([]);
    await app.until('a question', () => app.stdout.includes('What do you want to see?'));
    app.press('\u001B[A\u001B[A\r');
    await app.until('a question', () => app.stdout.includes('take the source?'));
    app.press('x\r');
    await app.until('an answer', () => app.stdout.includes("got '2msx'"));
    app.press('\u007F\r');
    await app.until('a question', () => app.stdout.includes('And each sink?'));
    app.press(',4\r');
    await app.until('the speeds', () => app.stdout.includes('sinks 5, 10, 20 and 4 ms'));
    app.press('\u0003');
    expect(await endCode()).toBe(130);
    expect(app.stdout).toContain('Called off.');
  });

  it('delivers at Ctrl-C what is on its way, and ends', async () => {
    start(['--mode', 'broadcast']);
    await sees(/sink 3 +20 ms +[●·]+ +\d+ +[1-9]/u);
    app.press('\u0003');
    expect(await endCode()).toBe(0);
    const [, items] = /✓ broadcast +([\d,]+) items in/u.exec(left()) ?? [];
    expect(left()).toContain(`(${items}, ${items}, ${items})`);
  });

  it('ends at a second Ctrl-C, and gives the terminal back', async () => {
    start(['--mode', 'concurrent', '--sinks', '1s', '--source', '0ms'], '; echo code $?; stty -a');
    await sees(/buffer +●{8}/u);
    app.press('\u0003');
    await sees(/Ctrl-C again ends it/u);
    app.press('\u0003');
    await endCode();
    expect(left()).toContain('Ended by a second Ctrl-C');
    expect(left()).toContain('code 130');
    expect(left()).toMatch(/[^-]icanon/u);
    expect(left()).toMatch(/[^-]echo\b/u);
  });

  it('compares, where the table is asked for, or keys cannot be pressed', async () => {
    start(['--table', '--items', '20', '--progress', 'none']);
    expect(await endCode()).toBe(0);
    expect(app.stdout.match(/✓/gu)).toHaveLength(5);
    start(['--items', '20', '--progress', 'none'], '</dev/null');
    expect(await endCode()).toBe(0);
    expect(app.stdout.match(/✓/gu)).toHaveLength(5);
    expect(app.stdout).not.toContain(TAKE);
  });
});
