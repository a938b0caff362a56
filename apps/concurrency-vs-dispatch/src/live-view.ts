/** What is drawn of a run while it is watched: lines of text, made from two readings. */

import { styleText } from 'node:util';
import { explain } from './explain.ts';
import { MODES, RULES } from './modes.ts';
import { cost, percent, rate, seconds, whole } from './numbers.ts';
import { type Change, changeOf, type Level, type Reading } from './reading.ts';
import { wrap } from './table.ts';

export interface View {
  readonly now: Reading;
  /** About two seconds before, of the same run. */
  readonly before: Reading | undefined;
  /** Which row the keys change: 0 is the source, 1 the first sink. */
  readonly chosen: number;
  /** What was said last. */
  readonly notice: string;
  readonly columns: number;
  readonly rows: number;
  readonly hasColors: boolean;
}

type Format = 'bold' | 'dim' | 'green' | 'red' | 'cyan';
type Paint = (format: Format, text: string) => string;

/** A cell as wide as its column. Style is put on afterwards: it has no width. */
interface Cell {
  readonly text: string;
  readonly style?: Format | undefined;
}

interface Row {
  readonly name: string;
  readonly cost: Cell;
  readonly buffer: Cell | undefined;
  readonly demand: string;
  readonly items: string;
  readonly share: string;
  readonly rate: string;
  readonly busy: string;
  readonly keys: string;
}

/** In the order in which they stand, and in which they are given up where a terminal is narrow: the highest first. */
const COLUMNS = [
  { of: 'cost', title: 'an item', width: 8, yields: 1 },
  { of: 'buffer', title: 'buffer', width: 12, yields: 0 },
  { of: 'demand', title: 'demand', width: 7, yields: 4 },
  { of: 'items', title: 'items', width: 11, yields: 2 },
  { of: 'share', title: 'share', width: 7, yields: 3 },
  { of: 'rate', title: 'items/s', width: 9, yields: 5 },
  { of: 'busy', title: 'busy', width: 7, yields: 6 },
] as const;
const NAME = 10;
const DOTS = 10;
/** From here on a line of keys says something. */
const FEWEST_KEYS = 5;
const MOST_KEYS = 60;
/** Wider, and the eye would have far to go. */
const WIDEST = 120;
/** From where on a buffer is shown as full. */
const FULL = 0.85;

export function viewLines({ now, before, chosen, notice, columns, rows, hasColors }: View): string[] {
  // Whether there are colours is decided already, for the stream that is drawn to.
  const paint: Paint = (format, text) =>
    hasColors && text !== '' ? styleText(format, text, { validateStream: false }) : text;
  const change = changeOf(now, before);
  const width = Math.min(WIDEST, Math.max(20, columns - 1));
  const stages = [sourceRow(now, change), bufferRow(now), ...sinkRows(now, change)];
  const lines = [
    ...titleLines(now, width, paint),
    '',
    ...tableOf(stages, chosen, width, paint),
    '',
    ...wrap(explain(now, change), width - 2).map((line) => `  ${line}`),
    '',
    ...(notice === '' ? [] : wrap(notice, width - 2).map((line) => paint('cyan', `  ${line}`))),
    ...keyLines(width).map((line) => paint('dim', line)),
  ];
  // Where there are too few rows, the empty lines go first.
  return lines.length > rows ? lines.filter((line) => line !== '') : lines;
}

function titleLines({ mode, state, elapsedMs }: Reading, width: number, paint: Paint): string[] {
  const right = `${state}  ${seconds(elapsedMs)}`;
  const rule = `: ${RULES[mode]}`;
  const room = width - mode.length - rule.length - right.length;
  if (room >= 2) return [paint('bold', mode) + rule + ' '.repeat(room) + right];
  return [paint('bold', mode) + cut(`  ${right}`, width - mode.length), cut(RULES[mode], width)];
}

function sourceRow({ source }: Reading, change: Change): Row {
  return {
    name: 'source',
    cost: costCell(source.ms),
    buffer: undefined,
    demand: '',
    items: whole(source.items),
    share: '',
    rate: rate(change.source.items, change.ms),
    busy: percent(1 - change.source.waited),
    keys: '',
  };
}

/** What the pipeline holds between its source and its sink, or its dispatcher. */
function bufferRow({ buffer }: Reading): Row {
  return {
    name: 'buffer',
    cost: { text: '' },
    buffer: dots(buffer),
    demand: whole(buffer.size - buffer.items),
    items: '',
    share: '',
    rate: '',
    busy: '',
    keys: '',
  };
}

function sinkRows({ mode, sinks }: Reading, change: Change): Row[] {
  return sinks.map((sink, at) => {
    const { items, waited, share } = change.sinks[at] ?? { items: 0, waited: 0, share: 0 };
    return {
      name: sink.name,
      cost: costCell(sink.ms),
      buffer: sink.buffer && dots(sink.buffer),
      demand: sink.buffer === undefined ? '' : whole(sink.buffer.size - sink.buffer.items),
      items: whole(sink.items),
      // Where every sink has all of them, it says nothing.
      share: mode === 'demand' || mode === 'partition' ? percent(share) : '',
      rate: rate(items, change.ms),
      busy: percent(1 - waited),
      keys: sink.lastKeys(MOST_KEYS).join(''),
    };
  });
}

function costCell(ms: number): Cell {
  return { text: cost(ms) };
}

/** `●●●·······`: items, and room for more, which is demand. A dot is an item where there is a dot for each. */
function dots({ items, size }: Level): Cell {
  const width = Math.min(DOTS, size);
  const share = size === 0 ? 0 : items / size;
  // Of many items, some are never shown as none, nor as all while one fits.
  const filled =
    size <= DOTS ? items : Math.min(width, Math.ceil(share * (width - 1)) + (items >= size ? 1 : 0));
  const text = '●'.repeat(filled) + '·'.repeat(width - filled);
  return { text, style: share >= FULL ? 'red' : 'green' };
}

function tableOf(rows: readonly Row[], chosen: number, width: number, paint: Paint): string[] {
  const shown = fitting(width);
  const left = width - NAME - shown.reduce((sum, column) => sum + column.width, 0) - 2;
  const hasKeys = left >= FEWEST_KEYS;
  const head = ' '.repeat(NAME) + shown.map(({ of, title, width: wide }) => pad(of, title, wide)).join('');
  return [
    paint('dim', (head + (hasKeys ? '  keys' : '')).trimEnd()),
    ...rows.map((row, at) => {
      // The buffer, at 1, has no speed of its own.
      const isChosen = at === (chosen === 0 ? 0 : chosen + 1);
      const name = cut(`${isChosen ? '▸' : ' '} ${row.name}`, NAME).padEnd(NAME);
      const cells = shown.map(({ of, width: wide }) => {
        const cell = row[of];
        if (typeof cell === 'string') return pad(of, cell, wide);
        const text = pad(of, cell?.text ?? '', wide);
        return cell?.style === undefined ? text : text.replace(cell.text, paint(cell.style, cell.text));
      });
      const keys = hasKeys ? `  ${row.keys.slice(-left)}` : '';
      return ((isChosen ? paint('bold', name) : name) + cells.join('') + keys).trimEnd();
    }),
  ];
}

/** The columns that there is room for. */
function fitting(width: number): (typeof COLUMNS)[number][] {
  const shown: (typeof COLUMNS)[number][] = [...COLUMNS];
  const total = () => NAME + shown.reduce((sum, column) => sum + column.width, 0);
  while (shown.length > 1 && total() > width) {
    const next = shown.reduce((most, column) => (column.yields > most.yields ? column : most));
    shown.splice(shown.indexOf(next), 1);
  }
  return shown;
}

/** Numbers to the right; a buffer grows from the left. */
function pad(of: (typeof COLUMNS)[number]['of'], text: string, width: number): string {
  return of === 'buffer' ? `  ${text.padEnd(width - 2)}` : text.padStart(width);
}

function keyLines(width: number): string[] {
  const keys = ['↑↓ choose', '←→ slower, faster', 'space pauses', `1–${MODES.length} another mode`, 'q ends'];
  const lines: string[] = [];
  let line = '';
  for (const key of keys) {
    if (line !== '' && line.length + 3 + key.length > width - 2) {
      lines.push(line);
      line = key;
    } else line = line === '' ? key : `${line} · ${key}`;
  }
  return [...lines, line].map((each) => `  ${each}`);
}

function cut(text: string, width: number): string {
  return text.length > width ? `${text.slice(0, Math.max(0, width - 1))}…` : text;
}
