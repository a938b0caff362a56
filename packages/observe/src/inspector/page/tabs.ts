/** One tab for each pipeline, where there are several. */

import type { WireSample } from '../wire.ts';
import { h, Keyed, set, show, write } from './dom.ts';
import { rateText } from './format.ts';

export class Tabs {
  readonly element: HTMLElement = h('nav', { class: 'tabs', 'aria-label': 'Pipelines' });
  readonly #tabs: Keyed<WireSample>;
  #chosen: string | undefined;

  constructor(choose: (id: string) => void) {
    this.#tabs = new Keyed<WireSample>(this.element, ({ id }) => {
      const [dot, name, rate] = [h('i'), h('span'), h('small')];
      const element = h('button', { type: 'button' }, dot, name, rate);
      element.addEventListener('click', () => choose(id));
      return {
        element,
        update: (sample) => {
          write(name, sample.name);
          write(rate, sample.isOver ? sample.state : rateText(sample.rate.now));
          set(dot, 'class', `dot ${sample.failure === undefined ? sample.state : 'failed'}`);
          set(element, 'aria-current', sample.id === this.#chosen ? 'true' : 'false');
        },
      };
    });
  }

  update(samples: readonly WireSample[], chosen: string | undefined): void {
    this.#chosen = chosen;
    this.#tabs.update(samples, ({ id }) => id);
    show(this.element, samples.length > 1);
  }
}
