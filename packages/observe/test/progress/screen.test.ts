/** Rows that are redrawn in place, on a terminal that obeys them. */

import { afterEach, describe, expect, it } from 'vitest';
import type { Line } from '../../src/progress/line.ts';
import { Screen } from '../../src/progress/screen.ts';
import { Terminal } from '../terminal.ts';

const rows = (...texts: string[]): Line[] => texts.map((text) => [{ text }]);
const opened: Screen[] = [];

function screenOn(terminal: Terminal, onResize = (): void => {}): Screen {
  const screen = new Screen(terminal, false, onResize);
  opened.push(screen);
  return screen;
}

afterEach(() => {
  for (const screen of opened.splice(0)) screen.close();
});

describe('Screen', () => {
  it('redraws in place, fewer rows too, and leaves nothing behind', () => {
    const terminal = new Terminal();
    const before = terminal.write;
    terminal.write('$ run\n');
    const screen = screenOn(terminal);
    screen.draw(rows('one', 'two, a long one', 'three'));
    expect(terminal.lines).toEqual(['$ run', 'one', 'two, a long one', 'three']);
    expect(terminal.isCursorShown).toBe(false);
    screen.draw(rows('ONE', 'two'));
    expect(terminal.lines).toEqual(['$ run', 'ONE', 'two']);
    screen.draw(rows('1', '2', '3', '4'));
    expect(terminal.lines).toEqual(['$ run', '1', '2', '3', '4']);
    screen.close();
    expect([terminal.text, terminal.isCursorShown]).toEqual(['$ run', true]);
    expect([terminal.write, terminal.listenerCount()]).toEqual([before, 0]);
    terminal.write('done\n');
    expect(terminal.lines).toEqual(['$ run', 'done']);
  });

  it('shows each frame at once, where the terminal can', () => {
    const terminal = new Terminal();
    const screen = screenOn(terminal);
    for (const frame of ['a', 'b', 'c']) screen.draw(rows(frame));
    expect(terminal.raw.split('\u001b[?2026h')).toHaveLength(4);
    expect(terminal.raw.split('\u001b[?2026l')).toHaveLength(4);
  });

  it('lets whatever else is written go above the rows', () => {
    const terminal = new Terminal();
    const screen = screenOn(terminal);
    screen.draw(rows('row 1', 'row 2'));
    terminal.write('a log\n');
    terminal.write(new TextEncoder().encode('bytes\n'));
    screen.print(rows('printed'));
    expect(terminal.lines).toEqual(['a log', 'bytes', 'printed', 'row 1', 'row 2']);
    screen.draw(rows('row 1!', 'row 2!'));
    expect(terminal.lines).toEqual(['a log', 'bytes', 'printed', 'row 1!', 'row 2!']);
  });

  it('waits with its rows until a line is ended', () => {
    const terminal = new Terminal();
    const screen = screenOn(terminal);
    screen.draw(rows('row'));
    terminal.write('half ');
    screen.draw(rows('row, later'));
    expect(terminal.lines).toEqual(['half']);
    terminal.write('');
    terminal.write('a line');
    expect(terminal.lines).toEqual(['half a line']);
    terminal.write('\n');
    expect(terminal.lines).toEqual(['half a line', 'row, later']);
    terminal.write('more');
    screen.close();
    expect(terminal.lines).toEqual(['half a line', 'more']);
  });

  it('cuts rows to the width, and is not led astray by a terminal that becomes narrower', () => {
    const terminal = new Terminal(40);
    const draw = (): void =>
      screen.draw(rows('a row of thirty-six columns, exactly', 'short', 'x'.repeat(90)));
    const screen = screenOn(terminal, draw);
    terminal.write('$ run\n');
    draw();
    expect(terminal.lines.at(-1)).toBe(`${'x'.repeat(38)}…`);
    terminal.resize(20);
    expect(terminal.lines).toEqual(['$ run', 'a row of thirty-si…', 'short', `${'x'.repeat(18)}…`]);
    terminal.resize(60);
    expect(terminal.lines).toEqual([
      '$ run',
      'a row of thirty-six columns, exactly',
      'short',
      `${'x'.repeat(58)}…`,
    ]);
  });

  it('spares a terminal that does not keep up', () => {
    const terminal = new Terminal();
    const screen = screenOn(terminal);
    screen.draw(rows('first'));
    terminal.writableLength = 1_000_000;
    const { length } = terminal.raw;
    for (let n = 0; n < 100; n++) screen.draw(rows(`frame ${n}`));
    expect(terminal.raw.length).toBe(length);
    terminal.writableLength = 0;
    screen.draw(rows('last'));
    expect(terminal.lines).toEqual(['last']);
  });

  it('gives back a write that somebody else has taken meanwhile to him', () => {
    const terminal = new Terminal();
    const screen = screenOn(terminal);
    screen.draw(rows('row'));
    const theirs = (): boolean => true;
    (terminal as { write: unknown }).write = theirs;
    screen.close();
    expect(terminal.write).toBe(theirs);
  });
});
