/** The whole screen of a terminal, taken while a run is watched and given back as it was. */

import { writeSync } from 'node:fs';

/** The screen that editors draw on: what stood there before comes back. */
const TAKE = '\u001B[?1049h\u001B[?25l';
const GIVE_BACK = '\u001B[?25h\u001B[?1049l';
/** A terminal that knows these shows all that is between them at once; another ignores them. */
const BEGIN_FRAME = '\u001B[?2026h';
const END_FRAME = '\u001B[?2026l';
const HOME = '\u001B[H';
const CLEAR_TO_LINE_END = '\u001B[K';
const CLEAR_BELOW = '\u001B[J';

/** More than this waits to be written: the terminal is slow, and is spared a frame. */
const MOST_PENDING = 65_536;

export class Screen {
  readonly #stream = process.stdout;

  /** Whichever way the process ends from here on, the screen is given back. */
  constructor() {
    process.on('exit', this.#giveBack);
    // Before what was thrown is printed: on this screen nobody would see it.
    process.on('uncaughtExceptionMonitor', this.#giveBack);
    this.#stream.write(TAKE);
  }

  get columns(): number {
    return this.#stream.columns ?? 80;
  }

  get rows(): number {
    return this.#stream.rows ?? 24;
  }

  /** Lines that are too many are left out; none may be wider than `columns`. */
  draw(lines: readonly string[]): void {
    if (this.#stream.writableLength > MOST_PENDING) return;
    const text = lines
      .slice(0, this.rows)
      .map((line) => `${line}${CLEAR_TO_LINE_END}`)
      .join('\n');
    this.#stream.write(`${BEGIN_FRAME}${HOME}${text}${CLEAR_BELOW}${END_FRAME}`);
  }

  close(): void {
    process.off('exit', this.#giveBack);
    process.off('uncaughtExceptionMonitor', this.#giveBack);
    this.#giveBack();
  }

  readonly #giveBack = (): void => {
    try {
      writeSync(this.#stream.fd, GIVE_BACK);
    } catch {
      // The terminal is gone, and its screen with it.
    }
  };
}
