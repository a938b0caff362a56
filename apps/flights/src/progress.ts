/** Progress on stderr: lines that redraw themselves in a terminal, a plain line now and then elsewhere. */

import { isatty } from 'node:tty';
import { liveLines, plainLine, type Reading } from './progress-view.ts';
import { LiveLines } from './terminal.ts';

export const PROGRESS_MODES = ['auto', 'tty', 'plain', 'none'] as const;
export type ProgressMode = (typeof PROGRESS_MODES)[number];

const LIVE_EVERY_MS = 125;
const PLAIN_EVERY_MS = 2000;
/** The present rate is that of about the last second. */
const NOW_MS = 1000;

export class Progress {
  readonly #mode: 'tty' | 'plain' | 'none';
  readonly #lines = new LiveLines(process.stderr);
  readonly #hasColors: boolean;

  constructor(mode: ProgressMode) {
    const { CI, TERM, NO_COLOR } = process.env;
    const isTerminal = isatty(process.stderr.fd) && TERM !== 'dumb' && (CI ?? '') === '';
    this.#mode = mode === 'auto' ? (isTerminal ? 'tty' : 'plain') : mode;
    this.#hasColors = (NO_COLOR ?? '') === '' && isTerminal && process.stderr.hasColors();
  }

  /** Shows how `task` goes until it ends, well or not. `read` is called as often as something is to be shown. */
  async during<R>(read: () => Reading, task: () => Promise<R>): Promise<R> {
    const readings: Reading[] = [];
    const tick = () => {
      const now = read();
      while (readings[1] !== undefined && now.elapsedMs - readings[1].elapsedMs >= NOW_MS) readings.shift();
      const before = readings[0];
      readings.push(now);
      if (this.#mode === 'plain') this.say(plainLine(now, before));
      else this.#lines.draw(liveLines(now, before, this.#lines.columns, this.#hasColors));
    };
    const timer =
      this.#mode === 'none'
        ? undefined
        : setInterval(tick, this.#mode === 'plain' ? PLAIN_EVERY_MS : LIVE_EVERY_MS);
    try {
      if (this.#mode === 'plain') this.say(`${read().title} …`);
      return await task();
    } finally {
      clearInterval(timer);
      this.#lines.erase();
    }
  }

  /** Says what is waited for, where nobody knows how far it is. */
  async meanwhile<R>(title: string, task: () => Promise<R>): Promise<R> {
    const line = `${title} …`;
    if (this.#mode === 'plain') this.say(line);
    if (this.#mode === 'tty') this.#lines.draw([line]);
    try {
      return await task();
    } finally {
      this.#lines.erase();
    }
  }

  /** A line that stays. */
  say(line: string): void {
    if (this.#mode === 'none') return;
    this.#lines.erase();
    process.stderr.write(`${line}\n`);
  }
}
