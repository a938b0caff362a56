/** A terminal as far as progress needs one: text, a cursor, and the few sequences that move it and clear. */

import type { ProgressStream } from '../src/progress/mode.ts';

const SEQUENCE = new RegExp(`${'\u001b'}\\[([?\\d;]*[A-Za-z])|[^]`, 'gu');

export class Terminal implements ProgressStream {
  readonly isTTY: boolean;
  columns: number;
  rows: number;
  /** Everything that was ever written. */
  raw = '';
  isCursorShown = true;
  writableLength = 0;
  #lines: string[][] = [[]];
  #x = 0;
  #y = 0;
  readonly #listeners = new Map<string, (() => void)[]>();

  constructor(columns: number = 80, rows: number = 24, isTTY: boolean = true) {
    this.columns = columns;
    this.rows = rows;
    this.isTTY = isTTY;
  }

  /** What it shows, without blanks at the end of lines, and without empty lines at its end. */
  get text(): string {
    return this.#lines
      .map((cells) => cells.join('').trimEnd())
      .join('\n')
      .trimEnd();
  }

  get lines(): string[] {
    return this.text.split('\n');
  }

  readonly write = (chunk: string | Uint8Array): boolean => {
    const text = typeof chunk === 'string' ? chunk : new TextDecoder().decode(chunk);
    this.raw += text;
    for (const [part, sequence] of text.matchAll(SEQUENCE)) {
      if (sequence !== undefined) this.#obey(sequence);
      else this.#show(part);
    }
    return true;
  };

  on(event: string, listener: () => void): void {
    this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), listener]);
  }

  off(event: string, listener: () => void): void {
    this.#listeners.set(
      event,
      (this.#listeners.get(event) ?? []).filter((other) => other !== listener),
    );
  }

  emit(event: string): void {
    for (const listener of this.#listeners.get(event) ?? []) listener();
  }

  listenerCount(): number {
    return [...this.#listeners.values()].flat().length;
  }

  /** As most terminals do it: lines that do not fit any more are broken, the cursor stays with its text. */
  resize(columns: number): void {
    const lines = this.#lines;
    const [x, y] = [this.#x, this.#y];
    this.#lines = [];
    this.columns = columns;
    for (const [at, cells] of lines.entries()) {
      const full = cells.join('').trimEnd().length;
      const parts = Math.max(1, Math.ceil(full / columns));
      if (at === y) {
        this.#y = this.#lines.length + Math.min(parts - 1, Math.floor(x / columns));
        this.#x = x % columns;
      }
      for (let part = 0; part < parts; part++)
        this.#lines.push(cells.slice(part * columns, (part + 1) * columns));
    }
    this.emit('resize');
  }

  #show(character: string): void {
    if (character === '\n') {
      this.#y += 1;
      this.#x = 0;
      this.#lines[this.#y] ??= [];
    } else if (character === '\r') {
      this.#x = 0;
    } else {
      if (this.isTTY && this.#x >= this.columns) this.#show('\n');
      const cells = this.#lines[this.#y] as string[];
      while (cells.length < this.#x) cells.push(' ');
      cells[this.#x] = character;
      this.#x += 1;
    }
  }

  #obey(sequence: string): void {
    const count = Number.parseInt(sequence, 10) || 1;
    const cells = this.#lines[this.#y] as string[];
    if (sequence.endsWith('A')) this.#y = Math.max(0, this.#y - count);
    else if (sequence.endsWith('B')) this.#y = Math.min(this.#lines.length - 1, this.#y + count);
    else if (sequence === '2K') cells.length = 0;
    else if (sequence === 'K') cells.length = Math.min(cells.length, this.#x);
    else if (sequence === 'J') {
      cells.length = Math.min(cells.length, this.#x);
      this.#lines.length = this.#y + 1;
    } else if (sequence === '?25l' || sequence === '?25h') this.isCursorShown = sequence === '?25h';
    else if (!/^(?:\?2026[hl]|[\d;]*m)$/u.test(sequence)) throw new Error(`Unknown: ESC [ ${sequence}`);
  }
}
