/** The page: what comes is kept, and drawn no more often than it can be read. */

import type { ControlAction, WireHistory, WireItems, WireSample } from '../wire.ts';
import { Connection, type Status, takeToken } from './connection.ts';
import { Curves } from './curves.ts';
import { Details } from './details.ts';
import { h, set, show, write } from './dom.ts';
import { afterMoving } from './moving.ts';
import { Overview } from './overview.ts';
import { Tables } from './tables.ts';
import { Tabs } from './tabs.ts';
import { Topology } from './topology.ts';

/** Numbers that change faster cannot be read. */
const DRAW_MS = 100;

const STATUS: Readonly<Record<Status, string>> = {
  connecting: 'connecting …',
  live: 'live',
  silent: 'connected, and nothing comes: the process is stopped, or something blocks it',
  lost: 'no connection: the process has ended, or cannot be reached. Trying again …',
  resting: 'resting',
  refused: 'refused: open the link that the program printed, all of it',
};

const samples = new Map<string, WireSample>();
let chosen: string | undefined;
let selected: string | undefined;
let isDue = false;
let drawnAt = 0;

const status = h('span', { class: 'status', role: 'status' });
const empty = h('p', { class: 'empty' }, 'Nothing runs here yet.');
const tabs = new Tabs(choose);
const overview = new Overview(control);
const topology = new Topology(select);
const curves = new Curves(askHistory);
const details = new Details(askItems, () => select(undefined));
const tables = new Tables(select);
const content = h(
  'main',
  { class: 'hidden' },
  overview.element,
  h('section', { class: 'panel drawing' }, topology.element, legend()),
  details.element,
  curves.element,
  tables.element,
);
const logo = h('img', { src: 'icon.svg', alt: '', width: 24, height: 24 });
document.body.append(
  h('header', { class: 'top' }, logo, h('b', {}, 'StreamWeld'), tabs.element, status),
  empty,
  content,
);

const connection = new Connection(takeToken(), {
  hello: ({ control: canControl, items }) => {
    overview.canControl = canControl;
    details.canLook = items;
    samples.clear();
    curves.forget();
  },
  sample: (sample) => {
    samples.set(sample.id, sample);
    connection.isQuiet = [...samples.values()].every(({ isOver }) => isOver);
    drawSoon();
  },
  moved: (moved) => {
    const sample = samples.get(moved.id);
    if (sample === undefined || sample.atMs !== moved.with) return;
    samples.set(moved.id, afterMoving(sample, moved));
    drawSoon();
  },
  gone: ({ id }) => {
    samples.delete(id);
    drawSoon();
  },
  status: (now) => {
    write(status, STATUS[now]);
    set(status, 'class', `status ${now}`);
    content.classList.toggle('stale', now === 'lost' || now === 'silent');
  },
});

matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => curves.draw());
addEventListener('resize', () => curves.draw());

function choose(id: string): void {
  chosen = id;
  select(undefined);
}

function select(id: string | undefined): void {
  selected = id === selected ? undefined : id;
  drawSoon();
}

function drawSoon(): void {
  if (isDue) return;
  isDue = true;
  const wait = Math.max(0, drawnAt + DRAW_MS - performance.now());
  setTimeout(() => requestAnimationFrame(draw), wait);
}

function draw(): void {
  isDue = false;
  drawnAt = performance.now();
  const all = [...samples.values()];
  const sample = all.find(({ id }) => id === chosen) ?? all[0];
  tabs.update(all, sample?.id);
  show(empty, sample === undefined);
  show(content, sample !== undefined);
  if (sample === undefined) return;
  document.title = `${sample.name} ${sample.state} – StreamWeld`;
  overview.update(sample);
  topology.update(sample, selected);
  details.update(sample, selected);
  curves.update(sample, selected);
  tables.update(sample, selected);
}

function legend(): HTMLElement {
  const entry = (kind: string, text: string): HTMLElement => h('span', {}, h('i', { class: kind }), text);
  return h(
    'p',
    { class: 'key' },
    entry('busy', 'busy'),
    entry('input', 'waits for items'),
    entry('room', 'waits for room'),
    h('span', { class: 'faint' }, 'of the last ten seconds'),
  );
}

async function control(pipeline: string, action: ControlAction): Promise<void> {
  await connection.ask('POST', 'control', [
    ['pipeline', pipeline],
    ['action', action],
  ]);
}

function askHistory(pipeline: string, series: readonly string[]): Promise<WireHistory> {
  return connection.ask('GET', 'history', [
    ['pipeline', pipeline],
    ...series.map((name) => ['series', name] as const),
  ]);
}

function askItems(pipeline: string, stage: string): Promise<WireItems> {
  return connection.ask('GET', 'items', [
    ['pipeline', pipeline],
    ['stage', stage],
  ]);
}
