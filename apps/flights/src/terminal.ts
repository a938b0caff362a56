/** A few lines of a terminal that are drawn again and again, each time in the place of the last. */

import { writeSync } from 'node:fs';

const HIDE_CURSOR = '\u001B[?25l';
const SHOW_CURSOR = '\u001B[?25h';
/** A terminal that knows these shows all that is between them at once; another ignores them. */
const BEGIN_FRAME = '\u001B[?2026h';
const END_FRAME = '\u001B[?2026l';
const CLEAR_TO_LINE_END = '\u001B[K';
const CLEAR_BELOW = '\u001B[J';

export class LiveLines {
  readonly #stream: typeof process.stderr;
  #drawn = 0;

  constructor(stream: typeof process.stderr) {
    this.#stream = stream;
  }

  /** How wide a line may be: the last column is left free, where a character may begin a new line. */
  get columns(): number {
    return (this.#stream.columns ?? 80) - 1;
  }

  draw(lines: readonly string[]): void {
    const shown = lines.slice(0, Math.max(1, (this.#stream.rows ?? 24) - 1));
    const text = shown.map((line) => `${line}${CLEAR_TO_LINE_END}\n`).join('');
    if (this.#drawn === 0) this.#show();
    this.#stream.write(`${BEGIN_FRAME}${HIDE_CURSOR}${this.#upToFirst()}${text}${CLEAR_BELOW}${END_FRAME}`);
    this.#drawn = shown.length;
  }

  /** Takes the lines away and gives the cursor back. */
  erase(): void {
    if (this.#drawn === 0) return;
    this.#stream.write(`${this.#upToFirst()}${CLEAR_BELOW}${SHOW_CURSOR}`);
    this.#drawn = 0;
    process.off('exit', this.#restore);
  }

  #upToFirst(): string {
    return this.#drawn === 0 ? '' : `\u001B[${this.#drawn}A\r`;
  }

  /** Whichever way the process ends from here on, the cursor is shown again. */
  #show(): void {
    process.on('exit', this.#restore);
  }

  readonly #restore = (): void => {
    try {
      writeSync(this.#stream.fd, SHOW_CURSOR);
    } catch {
      // The terminal is gone, and its cursor with it.
    }
  };
}
