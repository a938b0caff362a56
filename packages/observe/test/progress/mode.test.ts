import { describe, expect, it } from 'vitest';
import { chooseMode, hasColor } from '../../src/progress/mode.ts';

const terminal = { isTTY: true, write: () => true };
const pipe = { write: () => true };

describe('chooseMode', () => {
  it('draws on the stream only where that is a terminal, whatever the others are', () => {
    expect(chooseMode('auto', terminal, {})).toBe('tty');
    expect(chooseMode('auto', terminal, { TERM: 'xterm', CI: '' })).toBe('tty');
    expect(chooseMode('auto', pipe, {})).toBe('plain');
    expect(chooseMode('auto', { ...pipe, isTTY: false }, {})).toBe('plain');
  });

  it('writes lines into the log of a CI, and to a terminal that cannot move its cursor', () => {
    expect(chooseMode('auto', terminal, { CI: 'true' })).toBe('plain');
    expect(chooseMode('auto', terminal, { CI: 'false' })).toBe('tty');
    expect(chooseMode('auto', terminal, { TERM: 'dumb' })).toBe('plain');
  });

  it('takes what it is told', () => {
    for (const mode of ['tty', 'plain', 'json', 'none'] as const) {
      expect(chooseMode(mode, pipe, { CI: 'true' })).toBe(mode);
      expect(chooseMode(mode, terminal, {})).toBe(mode);
    }
  });
});

describe('hasColor', () => {
  it('goes by the terminal, NO_COLOR, and FORCE_COLOR before both', () => {
    expect(hasColor(terminal, {})).toBe(true);
    expect(hasColor(pipe, {})).toBe(false);
    expect(hasColor(terminal, { NO_COLOR: '1' })).toBe(false);
    expect(hasColor(terminal, { NO_COLOR: '' })).toBe(true);
    expect(hasColor(terminal, { TERM: 'dumb' })).toBe(false);
    expect(hasColor(pipe, { FORCE_COLOR: '1', NO_COLOR: '1' })).toBe(true);
    expect(hasColor(pipe, { FORCE_COLOR: '' })).toBe(true);
    expect(hasColor(terminal, { FORCE_COLOR: '0' })).toBe(false);
  });
});
