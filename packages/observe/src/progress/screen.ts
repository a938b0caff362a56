/**
 * Rows at the bottom of a terminal that are redrawn in place, while whatever else is written there goes above them.
 *
 *     a line of a log            ◄── written by anybody to stdout or stderr: the rows make room, and come again
 *     another one
 *     ⠹ orders running  0:27     ◄── the rows; the cursor waits, hidden, at the end of the last
 *       postgres        1,204 ▏
 */

import type { ProgressStream } from './mode.ts';
import { type Line, lineWidth, paint } from './line.ts';

const HIDE = '\u001b[?25l';
const SHOW = '\u001b[?25h';
/** Synchronized output: a terminal that knows it shows all of it at once, any other ignores it. */
const BEGIN = '\u001b[?2026h';
const END = '\u001b[?2026l';
const CLEAR_LINE = '\u001b[K';
const ERASE_LINE = '\u001b[2K';
const DOWN = '\u001b[B';
const CLEAR_BELOW = '\u001b[J';

/** More than this waits to be written: the terminal is slow, and is spared a frame. */
const MOST_PENDING = 65_536;

type Write = (chunk: string | Uint8Array, ...rest: unknown[]) => boolean;

export class Screen {
  readonly #stream: ProgressStream;
  readonly #isColored: boolean;
  readonly #onResize: () => void;
  readonly #write: Write;
  readonly #taken: (() => void)[] = [];
  /** What stands there: the widths of its lines, and their text. */
  #widths: readonly number[] = [];
  #lines: readonly Line[] = [];
  /** Somebody's line above is not ended: there is no place for rows. */
  #isMidLine = false;
  #isOpen = false;

  /** @param onResize is called when the terminal has another size: it should draw again. */
  constructor(stream: ProgressStream, isColored: boolean, onResize: () => void) {
    this.#stream = stream;
    this.#isColored = isColored;
    this.#onResize = onResize;
    this.#write = (stream.write as Write).bind(stream);
  }

  get columns(): number {
    return Math.max(10, this.#stream.columns ?? 80);
  }

  get rows(): number {
    return Math.max(2, this.#stream.rows ?? 24);
  }

  draw(lines: readonly Line[]): void {
    this.#lines = lines;
    if (!this.#isOpen) this.#open();
    if (this.#isMidLine || (this.#stream.writableLength ?? 0) > MOST_PENDING) return;
    this.#put(BEGIN + this.#home() + this.#painted() + END);
  }

  /** Writes lines above the rows that stay there, whole: the terminal breaks what is too long. */
  print(lines: readonly Line[]): void {
    const text = lines.map((line) => `${paint(line, Infinity, this.#isColored)}\n`).join('');
    this.#above(() => this.#put(text), true);
  }

  /** Takes the rows away, and gives everything back. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#put(this.#erase() + SHOW);
    for (const giveBack of this.#taken.splice(0)) giveBack();
    this.#stream.off?.('resize', this.#onResize);
    this.#lines = [];
  }

  #open(): void {
    this.#isOpen = true;
    this.#stream.on?.('resize', this.#onResize);
    for (const other of new Set([this.#stream, process.stdout, process.stderr]))
      if (other.isTTY === true) this.#take(other);
    this.#put(HIDE);
  }

  /** What others write to this stream goes above the rows. */
  #take(stream: ProgressStream): void {
    const owner = stream as { write: Write };
    const original = owner.write;
    const taken: Write = (chunk, ...rest) => {
      let answer = true;
      this.#above(
        () => {
          answer = original.call(stream, chunk, ...rest);
        },
        endsLine(chunk, this.#isMidLine),
      );
      return answer;
    };
    owner.write = taken;
    this.#taken.push(() => {
      // Whoever took it after us keeps it.
      if (owner.write === taken) owner.write = original;
    });
  }

  #above(write: () => void, isEnded: boolean): void {
    if (!this.#isOpen) {
      write();
      return;
    }
    this.#put(BEGIN + (this.#isMidLine ? '' : this.#erase()));
    write();
    this.#isMidLine = !isEnded;
    this.#put((isEnded ? this.#painted() : '') + END);
  }

  #painted(): string {
    const width = this.columns - 1;
    this.#widths = this.#lines.map((line) => Math.min(width, lineWidth(line)));
    const lines = this.#lines.map((line) => paint(line, width, this.#isColored) + CLEAR_LINE);
    return lines.join('\n') + CLEAR_BELOW;
  }

  /** Lines of the terminal that the rows take: where it became narrower, it has broken them into several. */
  get #height(): number {
    const { columns } = this;
    return this.#widths.reduce((sum, width) => sum + Math.max(1, Math.ceil(width / columns)), 0);
  }

  /** To the beginning of the first row. */
  #home(): string {
    return toFirstOf(this.#height);
  }

  /** Line by line: of a screen that is cleared at once some terminals keep a copy above it. */
  #erase(): string {
    const height = this.#height;
    if (height === 0) return '';
    this.#widths = [];
    return toFirstOf(height) + ERASE_LINE + `${DOWN}${ERASE_LINE}`.repeat(height - 1) + toFirstOf(height);
  }

  #put(text: string): void {
    if (text !== '') this.#write(text);
  }
}

function toFirstOf(lines: number): string {
  return lines > 1 ? `\r\u001b[${lines - 1}A` : '\r';
}

function endsLine(chunk: string | Uint8Array, isMidLine: boolean): boolean {
  if (chunk.length === 0) return !isMidLine;
  return typeof chunk === 'string' ? chunk.endsWith('\n') : chunk.at(-1) === 10;
}
