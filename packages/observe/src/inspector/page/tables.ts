/** The same as in the drawing and more, as tables: of stages, of what failed, and of how far each lane has come. */

import type { WireLane, WireSample, WireStage } from '../wire.ts';
import { h, Keyed, set, show, write } from './dom.ts';
import { agoText, countText, durationText, latencyText, rateText } from './format.ts';
import { labelOf, SHARES } from './topology.ts';

interface Column<T> {
  readonly title: string;
  readonly value: (item: T) => string;
  /** Words stand left, numbers right. */
  readonly isText?: boolean;
}

class Table<T> {
  readonly element: HTMLElement;
  readonly #rows: Keyed<T>;

  constructor(
    title: string,
    columns: readonly Column<T>[],
    decorate: (row: HTMLTableRowElement, item: T) => void = () => {},
  ) {
    const body = h('tbody');
    const heads = columns.map(({ title: head, isText }) =>
      h('th', { class: isText === true ? 'text' : '' }, head),
    );
    this.element = h(
      'section',
      { class: 'panel table', 'data-table': title },
      h('h2', {}, title),
      h('div', { class: 'scroll' }, h('table', {}, h('thead', {}, h('tr', {}, ...heads)), body)),
    );
    this.#rows = new Keyed<T>(body, () => {
      const cells = columns.map(({ isText }) => h('td', { class: isText === true ? 'text' : '' }));
      const row = h('tr', {}, ...cells);
      return {
        element: row,
        update: (item) => {
          cells.forEach((cell, at) => write(cell, columns[at]?.value(item) ?? ''));
          decorate(row, item);
        },
      };
    });
  }

  update(items: readonly T[], keyOf: (item: T) => string): void {
    this.#rows.update(items, keyOf);
  }
}

interface Failure {
  readonly stage: string;
  readonly code: string;
  readonly count: number;
  readonly agoMs: number;
}

const orNone = (value: number): string => (value === 0 ? '' : countText(value));

const STAGES: readonly Column<WireStage>[] = [
  { title: 'Stage', value: labelOf, isText: true },
  { title: 'Kind', value: ({ kind }) => kind, isText: true },
  { title: 'In', value: ({ kind, itemsIn }) => (kind === 'source' ? '' : countText(itemsIn)) },
  { title: 'Out', value: ({ items }) => countText(items) },
  { title: 'Now', value: ({ rate }) => rateText(rate.now) },
  { title: 'Average', value: ({ rate }) => rateText(rate.average) },
  { title: 'Busy', value: ({ shares }) => shareText(shares[0]) },
  { title: 'Waits for items', value: ({ shares }) => shareText(shares[1]) },
  { title: 'Waits for room', value: ({ shares }) => shareText(shares[2]) },
  { title: 'p50', value: ({ latency }) => (latency === undefined ? '' : latencyText(latency.p50)) },
  { title: 'p95', value: ({ latency }) => (latency === undefined ? '' : latencyText(latency.p95)) },
  { title: 'p99', value: ({ latency }) => (latency === undefined ? '' : latencyText(latency.p99)) },
  { title: 'Retried', value: ({ retried }) => orNone(retried) },
  { title: 'Timed out', value: ({ timedOut }) => orNone(timedOut) },
  { title: 'Dead letters', value: ({ deadLettered }) => orNone(deadLettered) },
  { title: 'Dropped', value: ({ dropped, lost }) => orNone(dropped + lost) },
];

function shareText(share: number): string {
  return share === 0 ? '' : `${Math.round(share * 100)} %`;
}

const LANES: readonly Column<WireLane>[] = [
  { title: 'Lane', value: ({ lane }) => (lane === '' ? '(the only one)' : lane), isText: true },
  { title: 'Done up to', value: ({ position }) => position, isText: true },
  { title: 'Committed', value: ({ committed }) => committed, isText: true },
  { title: 'Open', value: ({ open }) => countText(open) },
  { title: 'Behind', value: ({ lag }) => (lag === undefined ? '' : `${countText(lag)} items`) },
  { title: 'Stuck for', value: ({ stuckMs }) => (stuckMs < 2000 ? '' : durationText(stuckMs)) },
];

const FAILURES: readonly Column<Failure>[] = [
  { title: 'Stage', value: ({ stage }) => stage, isText: true },
  { title: 'Code', value: ({ code }) => code, isText: true },
  { title: 'Times', value: ({ count }) => countText(count) },
  { title: 'Last', value: ({ agoMs }) => agoText(agoMs) },
];

export class Tables {
  readonly element: HTMLElement;
  readonly #stages: Table<WireStage>;
  readonly #failures = new Table<Failure>('Failures', FAILURES);
  readonly #lanes = new Table<WireLane>('Positions', LANES, (row, { stuckMs }) =>
    set(row, 'class', stuckMs > 10_000 ? 'trouble' : ''),
  );
  #selected: string | undefined;

  constructor(select: (id: string) => void) {
    this.#stages = new Table<WireStage>('Stages', STAGES, (row, stage) => {
      row.onclick = () => select(stage.id);
      set(row, 'class', stage.id === this.#selected ? 'selected' : '');
      set(
        row,
        'title',
        SHARES.map((share, at) => `${share} ${shareText(stage.shares[at] ?? 0) || '0 %'}`).join(', '),
      );
    });
    this.element = h(
      'div',
      { class: 'tables' },
      this.#failures.element,
      this.#lanes.element,
      this.#stages.element,
    );
  }

  update({ stages, lanes }: WireSample, selected: string | undefined): void {
    this.#selected = selected;
    this.#stages.update(stages, ({ id }) => id);
    const failures = stages.flatMap((stage) =>
      stage.failures.map((failure) => ({ ...failure, stage: labelOf(stage) })),
    );
    this.#failures.update(failures, ({ stage, code }) => `${stage} ${code}`);
    show(this.#failures.element, failures.length > 0);
    this.#lanes.update(lanes, ({ source, lane }) => `${source} ${lane}`);
    show(this.#lanes.element, lanes.length > 0);
  }
}
