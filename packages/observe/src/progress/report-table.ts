/** What a run came to, stage by stage: printed once, at its end. Columns that would be empty are left out. */

import type { Sample, StageSample } from '../shared/sample.ts';
import { harmless } from '../shared/text.ts';
import { asCount, asPercent, asRate } from './format.ts';
import type { Line } from './line.ts';
import { fitTo, widthOf } from './text-width.ts';

interface Column {
  readonly head: string;
  readonly cell: (stage: StageSample) => string;
}

const share = (value: number): string => (value < 0.005 ? '' : asPercent(value));
const some = (count: number): string => (count === 0 ? '' : asCount(count));

const COLUMNS: readonly Column[] = [
  { head: 'items', cell: ({ items }) => asCount(items) },
  { head: 'average', cell: ({ rate }) => asRate(rate.average) },
  { head: 'busy', cell: ({ overall }) => share(overall().busy) },
  { head: 'no items', cell: ({ overall }) => share(overall().waitingForInput) },
  { head: 'no room', cell: ({ overall }) => share(overall().waitingForRoom) },
  { head: 'retried', cell: ({ retried }) => some(retried) },
  { head: 'timed out', cell: ({ timedOut }) => some(timedOut) },
  { head: 'dead', cell: ({ deadLettered }) => some(deadLettered) },
  { head: 'dropped', cell: ({ dropped }) => some(dropped) },
  { head: 'lost', cell: ({ lost }) => some(lost) },
];

/** @param width columns: the last ones are left out where they do not fit. */
export function reportTable({ stages }: Sample, width: number): Line[] {
  const labels = stages.map(({ id, name, partition }) => {
    const depth = '  '.repeat(id.split('/').length - 1);
    return harmless(`${depth}${name}${partition === undefined ? '' : ` (${partition})`}`);
  });
  const names = Math.min(Math.max(5, ...labels.map(widthOf)), Math.max(8, Math.floor(width / 3)));
  let left = width - names - 2;
  const columns = COLUMNS.map(({ head, cell }) => {
    const cells = stages.map(cell);
    return { head, cells, wide: Math.max(...[head, ...cells].map(widthOf)) };
  }).filter(({ cells, wide }) => {
    if (cells.every((cell) => cell === '')) return false;
    left -= wide + 2;
    return left >= 0;
  });
  const failures = stages.flatMap(({ name, failures: counts }) =>
    counts.map(({ code, count }) => `  ${harmless(name)}: ${asCount(count)} × ${harmless(code)}`),
  );
  return [
    row(
      'stage',
      columns.map(({ head, wide }) => fitTo(head, wide, 'right')),
    ),
    ...stages.map((_, at) =>
      row(
        labels[at] as string,
        columns.map(({ cells, wide }) => fitTo(cells[at] as string, wide, 'right')),
      ),
    ),
    ...failures.map((text): Line => [{ text, style: 'yellow' }]),
  ];

  function row(label: string, cells: readonly string[]): Line {
    const text = `  ${fitTo(label, names)}${cells.map((cell) => `  ${cell}`).join('')}`;
    return [{ text, style: label === 'stage' ? 'dim' : undefined }];
  }
}
