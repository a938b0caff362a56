/** One stage: what it did with its time, how long its calls take, and items of it, where they may be looked at. */

import type { WireItems, WireSample, WireStage } from '../wire.ts';
import { h, show, write } from './dom.ts';
import { countText, latencyText, percentText, rateText } from './format.ts';
import { labelOf, SHARES } from './topology.ts';

export type AskItems = (pipeline: string, stage: string) => Promise<WireItems>;

export class Details {
  readonly element: HTMLElement;
  readonly #ask: AskItems;
  readonly #name: HTMLElement = h('h2');
  readonly #facts: HTMLElement = h('p');
  readonly #latency: HTMLElement = h('p', { class: 'faint' });
  readonly #look: HTMLButtonElement = h('button', { type: 'button' }, 'Look at items');
  readonly #said: HTMLElement = h('span', { class: 'faint', role: 'status' });
  readonly #items: HTMLElement = h('ol', { class: 'items' });
  #shown: { readonly pipeline: string; readonly stage: string } | undefined;
  canLook = false;

  constructor(ask: AskItems, close: () => void) {
    this.#ask = ask;
    const end = h('button', { type: 'button', class: 'plain', 'aria-label': 'Close', title: 'Close' }, '×');
    end.addEventListener('click', close);
    this.#look.addEventListener('click', () => void this.#press());
    this.element = h(
      'section',
      { class: 'panel details hidden' },
      h('header', {}, this.#name, end),
      this.#facts,
      this.#latency,
      h('p', {}, this.#look, ' ', this.#said),
      this.#items,
    );
  }

  update(sample: WireSample, selected: string | undefined): void {
    const stage = sample.stages.find(({ id }) => id === selected);
    show(this.element, stage !== undefined);
    if (stage === undefined) return;
    if (this.#shown?.stage !== stage.id || this.#shown.pipeline !== sample.id) {
      this.#shown = { pipeline: sample.id, stage: stage.id };
      this.#items.replaceChildren();
      write(this.#said, '');
    }
    write(this.#name, labelOf(stage));
    write(this.#facts, factsOf(stage));
    write(this.#latency, latencyOf(stage));
    // What passes between operators is in nobody's hands: only pulls and writes can be looked at.
    show(this.#look, this.canLook && stage.kind !== 'operator');
    this.#look.disabled = this.#look.disabled && !sample.isOver;
  }

  async #press(): Promise<void> {
    const shown = this.#shown;
    if (shown === undefined) return;
    this.#look.disabled = true;
    write(this.#said, 'waiting for the next …');
    try {
      const { of, items } = await this.#ask(shown.pipeline, shown.stage);
      if (this.#shown === shown) this.#tell(of, items);
    } catch (error) {
      write(this.#said, (error as Error).message);
    }
    this.#look.disabled = false;
  }

  #tell(of: number, items: readonly string[]): void {
    write(
      this.#said,
      items.length === 0 ? 'none came within two seconds' : `${items.length} of a batch of ${countText(of)}`,
    );
    this.#items.replaceChildren(...items.map((item) => h('li', {}, h('pre', {}, item))));
  }
}

function factsOf({ kind, items, itemsIn, inFlight, rate, shares }: WireStage): string {
  const came = kind === 'source' ? '' : `${countText(itemsIn)} in, `;
  const spent = shares
    .map((share, at) => ({ share, text: `${SHARES[at]} ${percentText(share)}` }))
    .filter(({ share }) => share > 0)
    .map(({ text }) => text);
  return [
    kind,
    `${came}${countText(items)} out`,
    `${countText(inFlight)} in flight`,
    `${rateText(rate.now)} now`,
    `${rateText(rate.average)} on average`,
    ...spent,
  ].join(' · ');
}

function latencyOf({ kind, latency }: WireStage): string {
  if (latency === undefined) return '';
  const { p50, p95, p99, max } = latency;
  return `A ${kind === 'source' ? 'pull' : 'write'} takes ${latencyText(p50)} (median), ${latencyText(p95)} (p95), ${latencyText(p99)} (p99), ${latencyText(max)} at most`;
}
