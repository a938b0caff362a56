/** The drawing of what is connected to what. It is made anew when stages come or go; otherwise numbers are changed in it. */

import type { WireEdge, WireSample, WireStage } from '../wire.ts';
import { h, s, set, show, write } from './dom.ts';
import { countText, cut, percentText, rateText, shortText } from './format.ts';
import { type Box, BUFFER_WIDTH, type Layout, layOut } from './layout.ts';

const PAD = 12;
const SMALLEST = 0.66;
/** As of a full tank: enough room, little, hardly any. */
const YELLOW = 0.6;
const RED = 0.85;

const ACTIVITY: Readonly<Record<WireStage['activity'], string>> = {
  busy: 'busy',
  waitingForInput: 'waits for items',
  waitingForRoom: 'waits for room',
  idle: 'idle',
};
export const SHARES = ['busy', 'waits for items', 'waits for room'] as const;

export class Topology {
  readonly element: HTMLElement = h('div', { class: 'topology', tabindex: 0 });
  readonly #select: (id: string) => void;
  #shape = '';
  #update: ((sample: WireSample, selected: string | undefined) => void) | undefined;

  constructor(select: (id: string) => void) {
    this.#select = select;
  }

  update(sample: WireSample, selected: string | undefined): void {
    const { stages, edges } = sample;
    const shape = JSON.stringify([
      stages.map(({ id, name, kind, partition }) => [id, name, kind, partition]),
      edges.map(({ from, to, buffer }) => [from, to, buffer === undefined]),
    ]);
    if (shape !== this.#shape) {
      this.#shape = shape;
      this.#draw(sample);
    }
    this.#update?.(sample, selected);
  }

  #draw({ name, stages, edges }: WireSample): void {
    const layout = layOut(
      stages.map(({ id }) => id),
      edges,
    );
    const { width, height } = layout;
    const svg = s('svg', {
      class: layout.isCompact ? 'compact' : '',
      viewBox: `0 0 ${width} ${height}`,
      role: 'img',
      'aria-label': `Stages of ${name}; a table with the same is below.`,
    });
    const drawnEdges = edges.map((edge) => drawEdge(edge, layout));
    const drawnStages = new Map(stages.map((stage) => [stage.id, drawStage(stage, layout, this.#select)]));
    svg.append(...drawnEdges.map(({ element }) => element));
    svg.append(...[...drawnStages.values()].map(({ element }) => element));
    // Drawn smaller where there is less room, but never so small that it cannot be read.
    svg.style.width = `clamp(${Math.round(width * SMALLEST)}px, 100%, ${width}px)`;
    this.element.replaceChildren(svg);
    this.#update = (sample, selected) => {
      const byId = new Map(sample.stages.map((stage) => [stage.id, stage]));
      sample.edges.forEach((edge, at) => drawnEdges[at]?.update(edge, byId.get(edge.to)));
      for (const stage of sample.stages)
        drawnStages.get(stage.id)?.update(stage, {
          isSelected: stage.id === selected,
          isAwaited: stage.id === sample.bottleneck?.stage,
        });
    };
  }
}

interface Marks {
  readonly isSelected: boolean;
  readonly isAwaited: boolean;
}

interface DrawnStage {
  readonly element: SVGElement;
  update(stage: WireStage, marks: Marks): void;
}

const KINDS: Readonly<Record<WireStage['kind'], string>> = {
  // An arrow out of a bar, a gear reduced to a diamond, three ways, an arrow into a bar.
  source: 'M2 2v12M6 8h8M11 5l3 3-3 3',
  operator: 'M8 2l6 6-6 6-6-6z',
  dispatcher: 'M2 8h4M6 8l6-5M6 8h7M6 8l6 5',
  sink: 'M14 2v12M2 8h8M7 5l3 3-3 3',
};

function drawStage(stage: WireStage, layout: Layout, select: (id: string) => void): DrawnStage {
  const { x, y, width, height } = layout.stages.get(stage.id) as Box;
  const { isCompact } = layout;
  const rate = s('text', { class: 'rate', x: isCompact ? width - PAD : PAD, y: isCompact ? 21 : 56 });
  if (isCompact) set(rate, 'text-anchor', 'end');
  const count = s('text', { class: 'faint', x: width - PAD, y: 56, 'text-anchor': 'end' });
  const doing = s('text', { class: 'faint', x: PAD, y: isCompact ? 38 : 78 });
  const trouble = s('text', {
    class: 'trouble',
    x: width - PAD,
    y: isCompact ? 38 : 78,
    'text-anchor': 'end',
  });
  const bars = drawShares(PAD, height - (isCompact ? 12 : 14), width - 2 * PAD);
  const title = s('title');
  const tag = tagOf(stage);
  const body = s('g', { class: 'stage', transform: `translate(${x} ${y})`, tabindex: 0, role: 'button' });
  body.append(
    title,
    s('rect', { class: 'card', width, height, rx: 10 }),
    s('path', { class: 'kind', d: KINDS[stage.kind], transform: `translate(${PAD} ${isCompact ? 8 : 14})` }),
    s(
      'text',
      { class: 'name', x: PAD + 24, y: isCompact ? 21 : 27 },
      cut(stage.name, isCompact ? 13 : 21 - tag.length),
    ),
    ...(isCompact
      ? []
      : [s('text', { class: 'small faint', x: width - PAD, y: 27, 'text-anchor': 'end' }, tag)]),
    rate,
    ...(isCompact ? [] : [count]),
    doing,
    trouble,
    bars.element,
  );
  const choose = (): void => select(stage.id);
  body.addEventListener('click', choose);
  body.addEventListener('keydown', ({ key }) => {
    if (key === 'Enter' || key === ' ') choose();
  });
  return {
    element: body,
    update: (now, { isSelected, isAwaited }) => {
      write(rate, rateText(now.rate.now));
      write(count, shortText(now.items));
      write(doing, mostly(now));
      const failures = now.failures.reduce((sum, { count: each }) => sum + each, 0);
      write(trouble, troubleText(now, failures));
      bars.update(now.shares);
      const isTroubled = now.failures.some(({ agoMs }) => agoMs < 10_000);
      set(
        body,
        'class',
        `stage ${now.activity}${isSelected ? ' selected' : ''}${isAwaited ? ' awaited' : ''}${isTroubled ? ' troubled' : ''}`,
      );
      write(title, `${labelOf(now)}: ${countText(now.items)} items, ${rateText(now.rate.now)}`);
    },
  };
}

/** What tells it from others of its name: its share, or how it shares out. */
function tagOf({ name, partition, strategy }: WireStage): string {
  const tag = partition ?? strategy ?? '';
  return tag === name ? '' : cut(tag, 10);
}

export function labelOf({ name, partition, strategy }: WireStage): string {
  if (partition !== undefined && partition !== name) return `${name} (${partition})`;
  return strategy === undefined || strategy === name ? name : `${name} · ${strategy}`;
}

/** What most of its time went on; at this moment, where nothing is known yet. */
function mostly({ activity, shares, breaker, state }: WireStage): string {
  if (breaker !== undefined && breaker !== 'closed') return `circuit ${breaker}`;
  if (state !== undefined && state !== 'open') return state;
  if (activity === 'idle') return 'idle';
  const most = Math.max(...shares);
  return most === 0 ? ACTIVITY[activity] : `${SHARES[shares.indexOf(most)]} ${percentText(most)}`;
}

function troubleText({ retried, deadLettered, lost }: WireStage, failures: number): string {
  if (lost > 0) return `${shortText(lost)} lost`;
  if (deadLettered > 0) return `${shortText(deadLettered)} dead`;
  if (failures > 0) return `${shortText(failures)} failed`;
  return retried > 0 ? `${shortText(retried)} retried` : '';
}

function drawShares(
  x: number,
  y: number,
  width: number,
): { element: SVGElement; update(shares: readonly number[]): void } {
  const kinds = ['busy', 'input', 'room'];
  const parts = kinds.map((kind) => s('rect', { class: `share ${kind}`, y, height: 5, width: 0 }));
  const element = s('g', {}, s('rect', { class: 'track', x, y, width, height: 5, rx: 2.5 }), ...parts);
  return {
    element,
    update: (shares) => {
      let at = x;
      parts.forEach((part, index) => {
        const share = Math.round((shares[index] ?? 0) * width);
        set(part, 'x', at);
        set(part, 'width', share);
        at += share;
      });
    },
  };
}

interface DrawnEdge {
  readonly element: SVGElement;
  update(edge: WireEdge, to: WireStage | undefined): void;
}

function drawEdge(edge: WireEdge, layout: Layout): DrawnEdge {
  const [from, to] = [layout.stages.get(edge.from), layout.stages.get(edge.to)];
  if (from === undefined || to === undefined) return { element: s('g'), update: () => {} };
  const [startX, startY] = [from.x + from.width, from.y + from.height / 2];
  const endY = to.y + to.height / 2;
  const bufferX = to.x - BUFFER_WIDTH - 22;
  const endX = edge.buffer === undefined ? to.x - 2 : bufferX;
  const middle = (startX + endX) / 2;
  const line = s('path', {
    class: 'line',
    d: `M${startX} ${startY}C${middle} ${startY} ${middle} ${endY} ${endX} ${endY}`,
  });
  const element = s('g', { class: 'edge' }, line);
  const move = (stage: WireStage | undefined): void =>
    set(line, 'class', (stage?.rate.now ?? 0) > 0 ? 'line flowing' : 'line');
  const arrow = s('path', { class: 'arrow', d: `M${to.x - 8} ${endY - 4}l7 4-7 4z` });
  if (edge.buffer === undefined) {
    element.append(arrow);
    return { element, update: (_, stage) => move(stage) };
  }
  const buffer = drawBuffer(bufferX, endY, layout.isCompact);
  element.append(
    s('path', { class: 'line', d: `M${bufferX + BUFFER_WIDTH} ${endY}H${to.x - 6}` }),
    arrow,
    buffer.element,
  );
  return {
    element,
    update: (now, stage) => {
      move(stage);
      if (now.buffer !== undefined) buffer.update(now.buffer);
    },
  };
}

function drawBuffer(
  x: number,
  y: number,
  isCompact: boolean,
): { element: SVGElement; update(buffer: NonNullable<WireEdge['buffer']>): void } {
  const fill = s('rect', { class: 'fill', x, y: y - 7, width: 0, height: 14, rx: 4 });
  const above = s('text', { class: 'small', x: x + BUFFER_WIDTH / 2, y: y - 13, 'text-anchor': 'middle' });
  const below = s('text', {
    class: 'small faint',
    x: x + BUFFER_WIDTH / 2,
    y: y + 21,
    'text-anchor': 'middle',
  });
  const element = s('g', { class: 'buffer' });
  element.append(
    s('rect', { class: 'tank', x, y: y - 7, width: BUFFER_WIDTH, height: 14, rx: 4 }),
    fill,
    above,
    below,
  );
  show(below, !isCompact);
  return {
    element,
    update: ({ capacity, queued, inFlight, demand }) => {
      const level = Math.min(1, (queued + inFlight) / Math.max(1, capacity));
      set(fill, 'width', Math.round(level * BUFFER_WIDTH));
      set(element, 'class', `buffer ${levelOf(level)}`);
      write(above, `${shortText(queued + inFlight)} / ${shortText(capacity)}`);
      write(below, `room for ${shortText(Math.max(0, demand))}`);
    },
  };
}

function levelOf(level: number): 'green' | 'yellow' | 'red' {
  if (level > RED) return 'red';
  return level > YELLOW ? 'yellow' : 'green';
}
