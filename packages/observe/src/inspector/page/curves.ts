/** Which curves are shown, and the points of them: those that the server kept, then those that come. */

import type { WireHistory, WireSample, WireStage } from '../wire.ts';
import { Chart, type Curve } from './chart.ts';
import { h } from './dom.ts';
import { percentText, rateText, shortText } from './format.ts';
import { labelOf } from './topology.ts';

/** At most so many in one chart: more cannot be told apart. */
const MOST = 6;
const LONGEST_MS = 300_000;
/** Points no closer than that: samples may come faster than anyone can see. */
const CLOSEST_MS = 200;

interface Named {
  readonly series: string;
  readonly label: string;
}

export type AskHistory = (pipeline: string, series: readonly string[]) => Promise<WireHistory>;

export class Curves {
  readonly element: HTMLElement;
  readonly #ask: AskHistory;
  readonly #charts = [
    new Chart('Items a second', rateText, 10),
    new Chart('Items in buffers', shortText, 10),
    new Chart('Busy', percentText, 1),
  ] as const;
  #key = '';
  #groups: readonly (readonly Named[])[] = [];
  #times: number[] = [];
  #points = new Map<string, (number | null)[]>();

  constructor(ask: AskHistory) {
    this.#ask = ask;
    this.element = h('section', { class: 'charts' }, ...this.#charts.map(({ element }) => element));
  }

  /** What came while the stream was broken is asked for anew. */
  forget(): void {
    this.#key = '';
  }

  update(sample: WireSample, selected: string | undefined): void {
    const groups = chosen(sample, selected);
    const key = JSON.stringify([sample.id, groups]);
    if (key !== this.#key) {
      this.#key = key;
      this.#groups = groups;
      this.#times = [];
      this.#points = new Map(groups.flat().map(({ series }) => [series, []]));
      void this.#load(sample.id, key);
    }
    if (this.#add(sample)) this.draw();
  }

  draw(): void {
    this.#charts.forEach((chart, at) => {
      const curves: Curve[] = (this.#groups[at] ?? []).map(({ series, label }, color) => ({
        label,
        color,
        values: this.#points.get(series) ?? [],
      }));
      chart.draw(this.#times, curves);
    });
  }

  async #load(pipeline: string, key: string): Promise<void> {
    const names = [...this.#points.keys()];
    try {
      const { times, series } = await this.#ask(pipeline, names);
      if (this.#key !== key) return;
      const first = this.#times[0] ?? Number.POSITIVE_INFINITY;
      const before = times.filter((time) => time < first - 1);
      this.#times.unshift(...before);
      for (const [name, points] of this.#points)
        points.unshift(...before.map((_, at) => series[name]?.[at] ?? null));
      this.draw();
    } catch {
      // Then the curves begin now.
    }
  }

  #add(sample: WireSample): boolean {
    if (sample.atMs < (this.#times.at(-1) ?? Number.NEGATIVE_INFINITY) + CLOSEST_MS) return false;
    this.#times.push(sample.atMs);
    const values = valuesOf(sample);
    for (const [name, points] of this.#points) points.push(values.get(name) ?? null);
    const old = this.#times.findIndex((time) => time >= sample.atMs - LONGEST_MS);
    if (old > 0) {
      this.#times.splice(0, old);
      for (const points of this.#points.values()) points.splice(0, old);
    }
    return true;
  }
}

/** Named as the server names them. */
function valuesOf({ stages, edges }: WireSample): Map<string, number> {
  const values = new Map<string, number>();
  for (const { id, rate, shares } of stages) {
    values.set(`${id}:rate`, rate.now);
    values.set(`${id}:busy`, shares[0]);
  }
  for (const { to, buffer } of edges) if (buffer !== undefined) values.set(`${to}:queued`, buffer.queued);
  return values;
}

/** Of the stage that is selected, else of the ends of the flow. */
function chosen({ stages, edges }: WireSample, selected: string | undefined): readonly (readonly Named[])[] {
  const ends = stages.filter(({ kind }) => kind !== 'operator');
  const inner = stages.filter(({ kind }) => kind === 'operator');
  const picked = stages.filter(({ id }) => id === selected);
  const shown = (picked.length > 0 ? picked : ends).slice(0, MOST);
  const buffers = stages.filter(({ id }) =>
    edges.some(({ to, buffer }) => to === id && buffer !== undefined),
  );
  const near = buffers.filter(({ id }) => id === selected);
  const named = (of: readonly WireStage[], what: string): Named[] =>
    of.slice(0, MOST).map((stage) => ({ series: `${stage.id}:${what}`, label: labelOf(stage) }));
  return [
    named(shown, 'rate'),
    named(near.length > 0 ? near : buffers, 'queued'),
    named(picked.length > 0 ? picked : [...ends, ...inner], 'busy'),
  ];
}
