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

/** @param top of the addresses that are told: of the manual, the first copy */
export function graphLines({ graph, start }: Crawled, top = ''): string[] {
  const { origin } = new URL(start);
  const short = (address: string) =>
    address.startsWith(`${origin}/`) ? address.slice(origin.length) : address;
  const broken = graph.broken().filter(({ address }) => address.startsWith(top));
  const more = broken.length - MOST_BROKEN;
  return [
    '',
    'Most linked',
    ...graph
      .mostLinked(MOST_LINKED, top)
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

interface Row {
  readonly what: string;
  readonly pages: number;
  readonly ms: number;
  readonly mainMs: number;
  readonly parseMs: number;
}

/** How fast each way was, and which side is the slow one. */
export function speedLines(alone: FetchedOnly, crawls: readonly Crawled[]): string[] {
  const rows = crawls.map(rowOf);
  const lines = [
    '',
    `  ${''.padEnd(25)}${'pages'.padStart(6)}${'time'.padStart(9)}${'a second'.padStart(10)}${'main thread'.padStart(13)}${'threads'.padStart(9)}`,
    ...[{ ...alone, what: 'fetched, not parsed', parseMs: 0 }, ...rows].map(rowLine),
    '  The last two columns are time of processors.',
    '',
  ];
  const [first, other] = rows;
  const [crawled] = crawls;
  if (first === undefined || crawled === undefined) return lines;
  const fetchMs = alone.mainMs / alone.pages;
  const parseMs = crawled.spent.parseMs / first.pages;
  const slow =
    parseMs > fetchMs
      ? `parsing is the slow side, ${(parseMs / fetchMs).toFixed(1)} times`
      : `fetching is the slow side, ${(fetchMs / parseMs).toFixed(1)} times`;
  lines.push(
    `  A page takes ${fetchMs.toFixed(2)} ms of a processor to serve and fetch, and ${parseMs.toFixed(2)} ms to parse: ${slow}.`,
  );
  if (other !== undefined) {
    const { threads } = crawls[1]?.settings ?? { threads: 1 };
    lines.push(
      `  ${countOf(threads, 'thread')} left the main thread ${whole((100 * other.mainMs) / first.mainMs)} % of its work; by the clock it took ${(other.ms / first.ms).toFixed(2)} times as long, their start included.`,
    );
  }
  return lines;
}

function rowOf({ settings: { threads }, graph, report, mainMs, spent }: Crawled): Row {
  return {
    what: threads === 0 ? 'parsed on the main thread' : `parsed on ${countOf(threads, 'thread')}`,
    pages: graph.count('page'),
    ms: report.durationMs,
    mainMs,
    parseMs: threads === 0 ? 0 : spent.parseMs,
  };
}

function rowLine({ what, pages, ms, mainMs, parseMs }: Row): string {
  return `  ${what.padEnd(25)}${whole(pages).padStart(6)}${seconds(ms).padStart(9)}${whole((pages / ms) * 1000).padStart(10)}${seconds(mainMs).padStart(13)}${(parseMs === 0 ? '' : seconds(parseMs)).padStart(9)}`.trimEnd();
}

export function checkLines(checks: readonly Check[]): string[] {
  return ['', 'Proof', ...checks.map(({ holds, text }) => `  ${holds ? '✓' : '✗ WRONG:'} ${text}`)];
}
