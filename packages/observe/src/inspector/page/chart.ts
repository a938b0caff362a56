/** Curves over the last minutes, on a canvas: as much of a chart as this page needs. */

import { h, write } from './dom.ts';

export interface Curve {
  readonly label: string;
  /** Its place among the colours. */
  readonly color: number;
  readonly values: readonly (number | null)[];
}

const LONGEST_MS = 300_000;
const SHORTEST_MS = 30_000;
const [LEFT, RIGHT, TOP, BOTTOM] = [46, 8, 8, 20];
/** Points further apart have a time between them when nobody watched. */
const GAP_MS = 3000;

export class Chart {
  readonly element: HTMLElement;
  readonly #canvas: HTMLCanvasElement = h('canvas');
  readonly #legend: HTMLElement = h('div', { class: 'legend' });
  readonly #format: (value: number) => string;
  /** The least that the top of the scale stands for. */
  readonly #least: number;
  #times: readonly number[] = [];
  #curves: readonly Curve[] = [];
  #hoverX: number | undefined;

  constructor(title: string, format: (value: number) => string, least: number) {
    this.#format = format;
    this.#least = least;
    this.element = h(
      'figure',
      { class: 'panel chart' },
      h('figcaption', {}, title),
      this.#canvas,
      this.#legend,
    );
    this.#canvas.addEventListener('pointermove', ({ offsetX }) => this.#hover(offsetX));
    this.#canvas.addEventListener('pointerleave', () => this.#hover(undefined));
  }

  draw(times: readonly number[], curves: readonly Curve[]): void {
    this.#times = times;
    this.#curves = curves;
    const { width, height } = this.#canvas.getBoundingClientRect();
    const context = this.#canvas.getContext('2d');
    if (context === null || width === 0) return;
    const ratio = devicePixelRatio;
    this.#canvas.width = Math.round(width * ratio);
    this.#canvas.height = Math.round(height * ratio);
    context.scale(ratio, ratio);
    this.#paint(context, width, height);
  }

  #hover(x: number | undefined): void {
    this.#hoverX = x;
    this.draw(this.#times, this.#curves);
  }

  #paint(context: CanvasRenderingContext2D, width: number, height: number): void {
    const style = getComputedStyle(this.element);
    const color = (name: string): string => style.getPropertyValue(name);
    const last = this.#times.at(-1) ?? 0;
    const span = Math.min(LONGEST_MS, Math.max(SHORTEST_MS, last - (this.#times[0] ?? last)));
    const xOf = (time: number): number => width - RIGHT - ((last - time) / span) * (width - LEFT - RIGHT);
    const most = Math.max(
      this.#least,
      ...this.#curves.flatMap(({ values }) => values.map((value) => value ?? 0)),
    );
    const top = niceTop(most);
    const yOf = (value: number): number => height - BOTTOM - (value / top) * (height - TOP - BOTTOM);
    context.font = `11px ${style.fontFamily}`;
    context.lineWidth = 1;
    context.strokeStyle = color('--grid');
    context.fillStyle = color('--faint');
    context.textAlign = 'right';
    context.textBaseline = 'middle';
    for (const part of [0, 0.5, 1]) {
      const y = Math.round(yOf(top * part)) + 0.5;
      context.beginPath();
      context.moveTo(LEFT, y);
      context.lineTo(width - RIGHT, y);
      context.stroke();
      context.fillText(this.#format(top * part), LEFT - 6, y);
    }
    context.textAlign = 'center';
    context.textBaseline = 'alphabetic';
    for (const back of backTimes(span)) {
      const x = xOf(last - back);
      context.fillText(
        back === 0 ? 'now' : `−${backText(back)}`,
        Math.min(x, width - RIGHT - 12),
        height - 5,
      );
    }
    for (const curve of this.#curves) this.#line(context, curve, color(`--curve-${curve.color}`), xOf, yOf);
    this.#tell(context, xOf, height, color);
  }

  #line(
    context: CanvasRenderingContext2D,
    { values }: Curve,
    color: string,
    xOf: (time: number) => number,
    yOf: (value: number) => number,
  ): void {
    const isAlone = this.#curves.length === 1;
    let start: number | undefined;
    let before = Number.NEGATIVE_INFINITY;
    context.strokeStyle = color;
    context.fillStyle = color;
    context.lineWidth = 1.6;
    context.lineJoin = 'round';
    const end = (x: number): void => {
      context.stroke();
      if (isAlone && start !== undefined) {
        context.lineTo(x, yOf(0));
        context.lineTo(start, yOf(0));
        context.globalAlpha = 0.12;
        context.fill();
        context.globalAlpha = 1;
      }
      start = undefined;
    };
    context.beginPath();
    values.forEach((value, at) => {
      const time = this.#times[at] ?? 0;
      const isApart = value === null || time - before > GAP_MS;
      if (isApart && start !== undefined) {
        end(xOf(before));
        context.beginPath();
      }
      if (value === null) return;
      const [x, y] = [xOf(time), yOf(value)];
      if (start === undefined) {
        context.moveTo(x, y);
        start = x;
      } else context.lineTo(x, y);
      before = time;
    });
    if (start !== undefined) end(xOf(before));
  }

  /** The values where the pointer is, or the newest, beside the names of the curves. */
  #tell(
    context: CanvasRenderingContext2D,
    xOf: (time: number) => number,
    height: number,
    color: (name: string) => string,
  ): void {
    let at = this.#times.length - 1;
    if (this.#hoverX !== undefined) {
      const x = this.#hoverX;
      const distance = (index: number): number => Math.abs(xOf(this.#times[index] ?? 0) - x);
      at = this.#times.reduce((best, _, index) => (distance(index) < distance(best) ? index : best), 0);
      const line = Math.round(xOf(this.#times[at] ?? 0)) + 0.5;
      context.strokeStyle = color('--faint');
      context.beginPath();
      context.moveTo(line, TOP);
      context.lineTo(line, height - BOTTOM);
      context.stroke();
    }
    while (this.#legend.childElementCount > this.#curves.length) this.#legend.lastElementChild?.remove();
    this.#curves.forEach(({ label, color: place, values }, index) => {
      const entry = this.#legend.children[index] ?? this.#legend.appendChild(h('span', {}, h('b'), h('i')));
      entry.className = `curve-${place}`;
      const value = values[at];
      write(entry.children[0] as Element, label);
      write(entry.children[1] as Element, value === null || value === undefined ? '–' : this.#format(value));
    });
  }
}

/** 1, 2 or 5 and noughts, at or above it. */
function niceTop(most: number): number {
  const power = 10 ** Math.floor(Math.log10(most));
  return ([1, 2, 5, 10].find((step) => step * power >= most * 0.999) ?? 10) * power;
}

function backTimes(span: number): number[] {
  const step = [10_000, 30_000, 60_000].find((each) => span / each <= 6) ?? 60_000;
  return Array.from({ length: Math.floor(span / step) + 1 }, (_, at) => at * step);
}

function backText(ms: number): string {
  return ms < 60_000 || ms % 60_000 !== 0 ? `${ms / 1000} s` : `${ms / 60_000} min`;
}
