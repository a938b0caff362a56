/** What is said of a pipeline as a whole: its state, who is waited for, what it came to, and the buttons. */

import type { ControlAction, WireSample } from '../wire.ts';
import { h, set, show, write } from './dom.ts';
import { countText, durationText, percentText, rateText } from './format.ts';

interface Tile {
  readonly title: string;
  readonly value: (sample: WireSample) => string;
  readonly note?: (sample: WireSample) => string;
  /** What is only worth a place where there is any. */
  readonly isShown?: (sample: WireSample) => boolean;
  readonly isTrouble?: boolean;
}

const TILES: readonly Tile[] = [
  {
    title: 'now',
    value: ({ rate }) => rateText(rate.now),
    note: ({ rate }) => `${rateText(rate.average)} on average`,
  },
  { title: 'read', value: ({ read }) => countText(read ?? 0), isShown: ({ read }) => read !== undefined },
  { title: 'written', value: ({ written }) => countText(written) },
  { title: 'in buffers', value: (sample) => countText(buffered(sample)) },
  {
    title: 'behind',
    value: (sample) => countText(behind(sample)),
    note: (sample) => catchingUp(sample),
    isShown: ({ lanes, isOver }) => !isOver && lanes.some(({ lag }) => lag !== undefined),
  },
  {
    title: 'event loop',
    value: ({ loop }) => percentText(loop ?? 0),
    note: () => 'busy',
    isShown: ({ loop }) => loop !== undefined,
  },
  {
    title: 'retried',
    value: ({ retried }) => countText(retried),
    isShown: ({ retried }) => retried > 0,
    isTrouble: true,
  },
  {
    title: 'timed out',
    value: ({ timedOut }) => countText(timedOut),
    isShown: ({ timedOut }) => timedOut > 0,
    isTrouble: true,
  },
  {
    title: 'dead letters',
    value: ({ deadLettered }) => countText(deadLettered),
    isShown: ({ deadLettered }) => deadLettered > 0,
    isTrouble: true,
  },
  { title: 'dropped', value: ({ dropped }) => countText(dropped), isShown: ({ dropped }) => dropped > 0 },
];

function buffered({ edges }: WireSample): number {
  return edges.reduce(
    (sum, { buffer }) => sum + (buffer === undefined ? 0 : buffer.queued + buffer.inFlight),
    0,
  );
}

/** Items that sources know of and have not handed out. */
function behind({ lanes }: WireSample): number {
  return lanes.reduce((sum, { lag }) => sum + (lag ?? 0), 0);
}

/** How long these would take at the rate of now, if no other came. */
function catchingUp(sample: WireSample): string {
  const rate = sample.stages.reduce((sum, stage) => sum + (stage.kind === 'source' ? stage.rate.now : 0), 0);
  const items = behind(sample);
  if (items === 0) return '';
  return rate === 0 ? 'standing still' : `${durationText((items / rate) * 1000)} at this rate`;
}

export type Control = (pipeline: string, action: ControlAction) => Promise<void>;

export class Overview {
  readonly element: HTMLElement;
  readonly #name: HTMLElement = h('h1');
  readonly #state: HTMLElement = h('span', { class: 'state' });
  readonly #elapsed: HTMLElement = h('span', { class: 'faint' });
  readonly #bottleneck: HTMLElement = h('p', { class: 'bottleneck' });
  readonly #failure: HTMLElement = h('p', { class: 'failure', role: 'alert' });
  readonly #said: HTMLElement = h('span', { class: 'faint', role: 'status' });
  readonly #buttons: Readonly<Record<ControlAction, HTMLButtonElement>>;
  readonly #tiles = TILES.map((tile) => new DrawnTile(tile));
  #shown: string | undefined;
  canControl = false;

  constructor(control: Control) {
    const button = (action: ControlAction, title: string): HTMLButtonElement => {
      const element = h('button', { type: 'button', title }, `${action[0]?.toUpperCase()}${action.slice(1)}`);
      element.addEventListener('click', () => void this.#press(control, action));
      return element;
    };
    this.#buttons = {
      pause: button('pause', 'No new pulls and writes; those that are outstanding end'),
      resume: button('resume', 'Go on'),
      drain: button('drain', 'Read no more, deliver what has been read, and end'),
    };
    const { pause, resume, drain } = this.#buttons;
    this.element = h(
      'section',
      { class: 'overview' },
      h(
        'header',
        {},
        this.#name,
        this.#state,
        this.#elapsed,
        h('span', { class: 'buttons' }, this.#said, pause, resume, drain),
      ),
      this.#bottleneck,
      this.#failure,
      h('div', { class: 'tiles' }, ...this.#tiles.map(({ element }) => element)),
    );
  }

  update(sample: WireSample): void {
    const { id, name, state, elapsedMs, bottleneck, failure, kind } = sample;
    if (id !== this.#shown) write(this.#said, '');
    this.#shown = id;
    write(this.#name, name);
    write(this.#state, state);
    set(this.#state, 'class', `state ${state}`);
    write(this.#elapsed, kind === 'pipeline' ? durationText(elapsedMs) : '');
    write(this.#bottleneck, bottleneck?.text ?? '');
    show(this.#bottleneck, bottleneck !== undefined);
    write(this.#failure, failure === undefined ? '' : failureText(failure));
    show(this.#failure, failure !== undefined);
    for (const tile of this.#tiles) tile.update(sample);
    const can = this.canControl && kind === 'pipeline';
    show(this.#buttons.pause, can && state === 'running');
    show(this.#buttons.resume, can && state === 'paused');
    show(this.#buttons.drain, can && (state === 'running' || state === 'paused'));
  }

  async #press(control: Control, action: ControlAction): Promise<void> {
    write(this.#said, '');
    try {
      await control(this.#shown ?? '', action);
    } catch (error) {
      write(this.#said, (error as Error).message);
    }
  }
}

function failureText({ code, stage, message }: NonNullable<WireSample['failure']>): string {
  return `${code}${stage === undefined ? '' : ` in ${stage}`}${message === undefined ? '' : `: ${message}`}`;
}

class DrawnTile {
  readonly element: HTMLElement;
  readonly #tile: Tile;
  readonly #value: HTMLElement = h('strong');
  readonly #note: HTMLElement = h('small');

  constructor(tile: Tile) {
    this.#tile = tile;
    this.element = h(
      'div',
      { class: `panel tile${tile.isTrouble === true ? ' trouble' : ''}`, 'data-tile': tile.title },
      h('span', {}, tile.title),
      this.#value,
      this.#note,
    );
  }

  update(sample: WireSample): void {
    const { value, note, isShown } = this.#tile;
    show(this.element, isShown === undefined || isShown(sample));
    write(this.#value, value(sample));
    write(this.#note, note?.(sample) ?? '');
  }
}
