/** What is printed at the end. */

import type { Check } from './checks.ts';
import type { Crawled } from './crawl.ts';
import type { FetchedOnly } from './fetch-only.ts';
import { countOf, seconds, size, whole } from './numbers.ts';

const MOST_LINKED = 5;
const MOST_BROKEN = 12;

export function crawlLines(crawled: Crawled): string[] {
  const { report, spent, frontier, fetcher, visitor, graph } = crawled;
  const pages = graph.count('page');
  const others = [
    [graph.count('redirect'), 'redirect'],
    [graph.count('file'), 'file that is no HTML'],
    [graph.count('disallowed'), 'left alone as robots.txt asks'],
    [frontier.leftOut.elsewhere, 'times elsewhere'],
    [frontier.leftOut.depth + frontier.leftOut.pages, 'times beyond the limits'],
    [frontier.leftOut.nofollow, 'not followed as their page asks'],
  ] as const;
  const told = others.filter(([count]) => count > 0).map(([count, what]) => `${whole(count)} ${what}`);
  return [
    `  ${countOf(pages, 'page')}, ${size(spent.bytes)}, in ${seconds(report.durationMs)}; ${countOf(fetcher.requests, 'request')}, ${whole(visitor.retried)} of them once more`,
    ...(told.length === 0 ? [] : [`  Other links lead to: ${told.join(', ')}`]),
    ...(report.outcome === 'drained'
      ? [`  Stopped before the end: ${whole(frontier.waiting)} addresses were known and not requested`]
      : []),
  ];
}

export function graphLines({ graph, start }: Crawled): string[] {
  const { origin } = new URL(start);
  const short = (address: string) =>
    address.startsWith(`${origin}/`) ? address.slice(origin.length) : address;
  const broken = graph.broken();
  const more = broken.length - MOST_BROKEN;
  return [
    '',
    'Most linked',
    ...graph
      .mostLinked(MOST_LINKED)
      .map(
        ({ address, from }) =>
          `  ${countOf(from.length, 'page').padStart(9)}  ${short(address)}  ${JSON.stringify(graph.visitOf(address)?.title ?? '')}`,
      ),
    '',
    broken.length === 0 ? 'No broken links' : `Broken: ${countOf(broken.length, 'address')}`,
    ...broken
      .toSorted((a, b) => b.from.length - a.from.length)
      .slice(0, MOST_BROKEN)
      .map(
        ({ address, reason, from }) =>
          `  ${countOf(from.length, 'page').padStart(9)}  ${short(address)}: ${reason}${from[0] === undefined ? '' : `; as in ${short(from[0])}`}`,
      ),
    ...(more > 0 ? [`  … and ${whole(more)} more: links.csv has them`] : []),
  ];
}

/** How fast each way was, and which side is the slow one. */
export function speedLines(alone: FetchedOnly, crawls: readonly Crawled[]): string[] {
  const line = (what: string, pages: number, ms: number, busy: number) =>
    `  ${what.padEnd(27)}${whole(pages).padStart(7)}${seconds(ms).padStart(10)}${whole((pages / ms) * 1000).padStart(10)}${`${whole(busy * 100)} %`.padStart(13)}`;
  const [first, ...others] = crawls;
  const fetchMs = alone.ms / alone.pages;
  const parseMs = first === undefined ? Number.NaN : first.spent.parseMs / first.graph.count('page');
  const lines = [
    '',
    `  ${''.padEnd(27)}${'pages'.padStart(7)}${'time'.padStart(10)}${'a second'.padStart(10)}${'main thread'.padStart(13)}`,
    line('fetched, not parsed', alone.pages, alone.ms, alone.busy),
    ...crawls.map(({ settings: { threads }, graph, report, busy }) =>
      line(
        threads === 0 ? 'parsed on the main thread' : `parsed on ${countOf(threads, 'thread')}`,
        graph.count('page'),
        report.durationMs,
        busy,
      ),
    ),
    '',
    `  A page takes ${fetchMs.toFixed(2)} ms to fetch and ${parseMs.toFixed(2)} ms to parse: ${parseMs > fetchMs ? `parsing is the slow side, ${(parseMs / fetchMs).toFixed(1)} times` : 'fetching is the slow side'}.`,
  ];
  for (const { settings, report } of others)
    if (first !== undefined)
      lines.push(
        `  ${countOf(settings.threads, 'thread')} took ${(report.durationMs / first.report.durationMs).toFixed(2)} times as long as the main thread alone, their start included.`,
      );
  return lines;
}

export function checkLines(checks: readonly Check[]): string[] {
  return ['', 'Proof', ...checks.map(({ holds, text }) => `  ${holds ? '✓' : '✗ WRONG:'} ${text}`)];
}
