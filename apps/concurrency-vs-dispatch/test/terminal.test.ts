/** In a terminal: what is drawn, what the keys do, and that the terminal is as it was at the end. */

import { afterEach, describe, expect, it } from 'vitest';
import { hasTerminal, Program } from './program.ts';

let program: Program;
afterEach(() => program.child.kill('SIGKILL'));

const RIGHT = '\u001B[C';
const LEFT = '\u001B[D';
const DOWN = '\u001B[B';
const TAKE = '\u001B[?1049h\u001B[?25l';
const GIVE_BACK = '\u001B[?25h\u001B[?1049l';

if (!hasTerminal) console.warn('Skipped: tests in a terminal. They need `script` of util-linux.');

/** Waits until what is drawn matches. */
function sees(pattern: RegExp): Promise<void> {
  return program.until(`showing ${pattern}`, () => pattern.test(program.frame));
}

/** What stands on the screen that it was started from, after it was given back; lines may be broken anywhere. */
function left(): string {
  const at = program.stdout.lastIndexOf(GIVE_BACK);
  return at < 0 ? '' : program.stdout.slice(at + GIVE_BACK.length).replaceAll(/\s+/gu, ' ');
}

describe.skipIf(!hasTerminal)('in a terminal', () => {
  it('shows items, buffers and demand move, and the keys change speeds and mode', async () => {
    program = Program.inTerminal('--mode demand --source 10ms --sinks 5ms,200ms'.split(' '));
    await sees(/^demand: each item to the sink with the most free demand +running/mu);
    await sees(/▸ source +10 ms +[1-9]/u);
    await sees(/sink 2 +200 ms {2}(?:●●|●·|··) +[012] +[1-9]/u);
    expect(program.frame).toMatch(/an item {2}buffer +demand +items +share +items\/s +busy {2}keys/u);
    // Each line fits.
    for (const line of program.frame.split(/\r*\n/u)) expect(line.length).toBeLessThan(80);

    program.press(RIGHT);
    await sees(/▸ source +7 ms/u);
    program.press(DOWN + DOWN + LEFT);
    await sees(/▸ sink 2 +300 ms/u);
    program.press(' ');
    await sees(/paused/u);
    await sees(/Paused: nothing is read/u);
    program.press(' ');
    await sees(/running/u);

    program.press('5');
    await sees(/partition: each item to the sink of its key/u);
    // The last run was proved, and its speeds are kept.
    expect(program.frame).toMatch(/✓ demand: [\d,]+ items in, each once in all/u);
    expect(program.frame).toMatch(/source +7 ms/u);
    expect(program.frame).toMatch(/▸ sink 2 +300 ms/u);
    await sees(/sink 1 +5 ms {2}[●·]{10} +\d+ +[1-9]/u);
    // Then what is on its way has not to wait for so long.
    program.press(RIGHT.repeat(20));
    await sees(/▸ sink 2 +0 ms/u);
    program.press('q');
    expect(await program.code()).toBe(0);
    expect(left()).toMatch(/demand: [\d,]+ items in [\d.]+ s/u);
    expect(left()).toMatch(/✓ demand +[\d,]+ items in, each once in all, at one of 2 sinks \(\d+, \d+\)/u);
    expect(left()).toMatch(/✓ partition +[\d,]+ items in, each once/u);
    expect([program.stdout.split(TAKE).length, program.stdout.split(GIVE_BACK).length]).toEqual([2, 2]);
  });

  it('asks what to show, shows it, and asks again', async () => {
    program = Program.inTerminal(['--sinks', '1ms']);
    await program.until('a question', () => program.stdout.includes('What do you want to see?'));
    program.press(`${DOWN}\r`);
    await sees(/^concurrent: source and sink at once/mu);
    program.press('q');
    await program.until('asking again', () => left().includes('What do you want to see?'));
    expect(left()).toMatch(/✓ concurrent +[\d,]+ items in, each once, in order/u);
    // Up, from the first, is the last.
    program.press('\u001B[A\r');
    expect(await program.code()).toBe(0);
  });

  it('takes other speeds, and says what is wrong with them', async () => {
    program = Program.inTerminal([]);
    await program.until('a question', () => program.stdout.includes('What do you want to see?'));
    program.press('\u001B[A\u001B[A\r');
    await program.until('a question', () => program.stdout.includes('take the source?'));
    program.press('x\r');
    await program.until('an answer', () => program.stdout.includes("got '2msx'"));
    program.press('\u007F\r');
    await program.until('a question', () => program.stdout.includes('And each sink?'));
    program.press(',4\r');
    await program.until('the speeds', () => program.stdout.includes('sinks 5, 10, 20 and 4 ms'));
    program.press('\u0003');
    expect(await program.code()).toBe(130);
    expect(program.stdout).toContain('Called off.');
  });

  it('delivers at Ctrl-C what is on its way, and ends', async () => {
    program = Program.inTerminal(['--mode', 'broadcast']);
    await sees(/sink 3 +20 ms +[●·]+ +\d+ +[1-9]/u);
    program.press('\u0003');
    expect(await program.code()).toBe(0);
    const [, items] = /✓ broadcast +([\d,]+) items in/u.exec(left()) ?? [];
    expect(left()).toContain(`(${items}, ${items}, ${items})`);
  });

  it('ends at a second Ctrl-C, and gives the terminal back', async () => {
    program = Program.inTerminal(
      ['--mode', 'concurrent', '--sinks', '1s', '--source', '0ms'],
      '; echo code $?; stty -a',
    );
    await sees(/buffer +●{8}/u);
    program.press('\u0003');
    await sees(/Ctrl-C again ends it/u);
    program.press('\u0003');
    await program.code();
    expect(left()).toContain('Ended by a second Ctrl-C');
    expect(left()).toContain('code 130');
    expect(left()).toMatch(/[^-]icanon/u);
    expect(left()).toMatch(/[^-]echo\b/u);
  });

  it('compares, where the table is asked for, or keys cannot be pressed', async () => {
    program = Program.inTerminal(['--table', '--items', '20', '--progress', 'none']);
    expect(await program.code()).toBe(0);
    expect(program.stdout.match(/✓/gu)).toHaveLength(5);
    program = Program.inTerminal(['--items', '20', '--progress', 'none'], '</dev/null');
    expect(await program.code()).toBe(0);
    expect(program.stdout.match(/✓/gu)).toHaveLength(5);
    expect(program.stdout).not.toContain(TAKE);
  });
});
