/** All that is shown on one stream: pipelines that run at the same time share its rows. */

import type { Sample } from '../shared/sample.ts';
import { jsonLine } from './json.ts';
import { type Line, paint } from './line.ts';
import { liveLines, type LiveView } from './live.ts';
import type { ProgressMode, ProgressStream } from './mode.ts';
import { closingLine, plainLine } from './plain.ts';
import { troublesOf } from './outlook.ts';
import { reportTable } from './report-table.ts';
import { Screen } from './screen.ts';
import { guardEnd } from './end-guard.ts';

/** Nothing is drawn of what is over sooner, in milliseconds: then one line is enough. */
const WORTH_MS = 500;

/** One pipeline on a board. */
export interface Entry {
  readonly mode: Exclude<ProgressMode, 'auto' | 'none'>;
  readonly total: number | undefined;
  readonly everyMs: number;
  /** Whether a table follows at its end. */
  readonly report: boolean;
  /** How its run ended, once it has. */
  readonly outcome: () => string;
  sample: Sample | undefined;
  elapsedMs: number;
  /** When it was last told of, on its own clock. */
  toldMs: number;
}

export class Board {
  readonly #stream: ProgressStream;
  readonly #screen: Screen;
  readonly #isColored: boolean;
  readonly #entries = new Set<Entry>();
  #frame = 0;
  #isBroken = false;
  #willDraw = false;
  #release: () => void = () => {};

  constructor(stream: ProgressStream, isColored: boolean) {
    this.#stream = stream;
    this.#isColored = isColored;
    this.#screen = new Screen(stream, isColored, () => this.#draw());
  }

  add(entry: Entry): void {
    if (this.#entries.size === 0) {
      // What has closed, or is full, shows nothing more, and disturbs nobody.
      this.#stream.on?.('error', this.#broken);
      this.#release = guardEnd(this.#endAll);
    }
    this.#entries.add(entry);
  }

  show(entry: Entry): void {
    if (entry.mode === 'tty') {
      this.#drawSoon();
      return;
    }
    const { sample, elapsedMs, toldMs, everyMs, total } = entry;
    if (sample === undefined || sample.state === 'idle' || elapsedMs - toldMs < everyMs) return;
    // On the beat, however late the sample came.
    entry.toldMs = everyMs === 0 ? elapsedMs : elapsedMs - (elapsedMs % everyMs);
    const line =
      entry.mode === 'json'
        ? jsonLine(sample, total, elapsedMs, undefined)
        : plainLine(sample, total, elapsedMs);
    this.#guarded(() => this.#stream.write(`${line}\n`));
  }

  /** It has ended, or is not to be shown any more. */
  close(entry: Entry): void {
    if (!this.#entries.delete(entry)) return;
    const { sample } = entry;
    if (sample !== undefined && sample.state !== 'idle') this.#guarded(() => this.#tellEnd(entry, sample));
    if ([...this.#entries].some(({ mode }) => mode === 'tty')) this.#draw();
    else this.#guarded(() => this.#screen.close());
    if (this.#entries.size > 0) return;
    this.#stream.off?.('error', this.#broken);
    this.#release();
  }

  #tellEnd(entry: Entry, sample: Sample): void {
    const { mode, total, elapsedMs, outcome } = entry;
    if (mode === 'json') {
      this.#stream.write(`${jsonLine(sample, total, elapsedMs, sample.isOver ? outcome() : 'unfinished')}\n`);
      return;
    }
    const isGood = sample.isOver && sample.failure === undefined;
    const text = closingLine(sample, outcome(), elapsedMs);
    const troubles = troublesOf(sample).join(', ');
    const first: Line = [
      { text: isGood ? '✓ ' : '✗ ', style: isGood ? 'green' : 'red' },
      { text, style: 'bold' },
      ...(troubles === '' ? [] : [{ text: `, ${troubles}`, style: 'yellow' as const }]),
    ];
    const hasTable = entry.report && elapsedMs >= WORTH_MS;
    const lines = [first, ...(hasTable ? reportTable(sample, this.#width) : [])];
    if (mode === 'tty') this.#screen.print(lines);
    else for (const line of lines) this.#stream.write(`${paint(line, Infinity, this.#isColored)}\n`);
  }

  get #width(): number {
    return (this.#stream.columns ?? 100) - 1;
  }

  /** Several samples come at once: they are drawn once. */
  #drawSoon(): void {
    if (this.#willDraw) return;
    this.#willDraw = true;
    queueMicrotask(() => {
      this.#willDraw = false;
      this.#draw();
    });
  }

  #draw(): void {
    const views: LiveView[] = [];
    for (const { mode, sample, total, elapsedMs } of this.#entries) {
      const isShown = mode === 'tty' && sample !== undefined && sample.state !== 'idle';
      if (isShown && elapsedMs >= WORTH_MS) views.push({ sample, total, elapsedMs });
    }
    if (views.length === 0) return;
    this.#guarded(() => {
      this.#screen.draw(liveLines(views, this.#screen.columns - 1, this.#screen.rows - 1, this.#frame));
    });
    this.#frame += 1;
  }

  /** The process ends, and something still runs: its last state is told, and the terminal left as it was. */
  readonly #endAll = (): void => {
    for (const entry of [...this.#entries]) this.close(entry);
  };

  readonly #broken = (): void => {
    this.#isBroken = true;
  };

  /** Whoever shows progress must not end what makes it. */
  #guarded(call: () => void): void {
    if (this.#isBroken || this.#stream.destroyed === true) return;
    try {
      call();
    } catch {
      this.#isBroken = true;
    }
  }
}

const boards = new WeakMap<ProgressStream, Board>();

export function boardOf(stream: ProgressStream, isColored: boolean): Board {
  let board = boards.get(stream);
  if (board === undefined) boards.set(stream, (board = new Board(stream, isColored)));
  return board;
}
