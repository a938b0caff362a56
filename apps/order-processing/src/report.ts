/** What is printed at the end. */

import type { RunReport, SinkStatus } from '@streamweld/core';
import type { Sum } from './analytics.ts';
import type { Check } from './checks.ts';
import type { Stock } from './found.ts';
import { money, percent, rate, seconds, whole } from './numbers.ts';

export function broadcastLines(report: RunReport, sinks: readonly SinkStatus[]): string[] {
  const { written, durationMs, outcome } = report;
  const stopped = outcome === 'drained' ? ', stopped before the end' : '';
  return [
    'Broadcast · every order to payment, inventory, e-mail and analytics',
    `  ${whole(written)} orders in ${seconds(durationMs)}, ${rate(written, durationMs)}/s${stopped}`,
    ...table(
      ['sink', 'orders', 'fullest', 'busy', 'retries', 'dead letters'],
      sinks.map(({ name, delivered, highWaterMark, bufferSize, waitedMs, retried, deadLettered }) => [
        name,
        whole(delivered),
        `${whole(highWaterMark)} of ${whole(bufferSize)}`,
        percent(Math.max(0, 1 - waitedMs / durationMs)),
        whole(retried),
        whole(deadLettered),
      ]),
    ),
  ];
}

export function checkLines(checks: readonly Check[]): string[] {
  return [
    'Proof · against a count of the orders made without StreamWeld',
    ...checks.map(
      ({ holds, of, text }) => `  ${holds ? '✓' : '✗'} ${of.padEnd(9)}  ${holds ? '' : 'WRONG: '}${text}`,
    ),
  ];
}

/** What a human wants to know of these orders. */
export function answerLines(stock: readonly Stock[], byProduct: ReadonlyMap<string, Sum>): string[] {
  const names = new Map(stock.map(({ sku, name }) => [sku, name]));
  const [best] = [...byProduct].sort(([, a], [, b]) => b.cents - a.cents);
  const soldOut = stock.filter(({ available, missing }) => available === 0 && missing > 0);
  const waited = stock.reduce((sum, { missing }) => sum + missing, 0);
  const cents = [...byProduct.values()].reduce((sum, each) => sum + each.cents, 0);
  if (best === undefined) return [];
  return [
    `Ordered for        ${money(cents)}`,
    `Earns most         ${names.get(best[0])}: ${money(best[1].cents)} for ${whole(best[1].count)} pieces`,
    `Sold out           ${soldOut.length} of ${stock.length} products; ${whole(waited)} pieces are waited for`,
  ];
}

/** The first and the last column as wide as they must be; numbers on the right. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = head.map((cell, column) =>
    Math.max(cell.length, ...rows.map((row) => (row[column] ?? '').length)),
  );
  return [head, ...rows].map((row) => {
    const cells = row.map((cell, column) => {
      const width = widths[column] ?? 0;
      return column === 0 ? cell.padEnd(width) : cell.padStart(width);
    });
    return `  ${cells.join('   ')}`.trimEnd();
  });
}
