/**
 * The pipeline: addresses are requested at once, pages parsed on threads, and written; what they link to comes in again.
 *
 *     frontier ──► visit (many at once) ──► parse (threads) ──► tell what was found ──► pages.ndjson
 *        ▲                                                             │
 *        └─────────────────────────── links ───────────────────────────┘
 */

import { ConcurrentPipeline, type DeadLetter, type Flow, from } from '@streamweld/core';
import { FileSink } from '@streamweld/file';
import { inWorkers } from '@streamweld/workers';
import { Fetcher, type FetcherOptions } from './fetcher.ts';
import { Frontier, type FrontierOptions } from './frontier.ts';
import { LinkGraph } from './link-graph.ts';
import type parse from './parse.ts';
import type { Fetched, Page, Parsed } from './parse.ts';
import { Visitor } from './visitor.ts';

export interface CrawlSettings extends FetcherOptions, FrontierOptions {
  /** How often an address is requested, the first time included. */
  readonly attempts: number;
  /** None: pages are parsed on the main thread. */
  readonly threads: number;
}

/** Of the heap of each thread: a page that needs more is refused, and the others go on. */
const HEAP_MB = 256;
/** Of a page, the start of its thread included. A parser that is led in circles is ended. */
const PARSE_TIMEOUT_MS = 60_000;
/** Pages between the frontier and the file, with what they hold: each has `maxBytes` at most. */
const BUFFER_PAGES = 64;
const MOST_VISITS = 64;

interface Spent {
  /** What the parser took of processors, on whatever thread, in milliseconds. */
  parseMs: number;
  bytes: number;
}

export interface Crawling {
  readonly pipeline: ConcurrentPipeline<Page>;
  readonly frontier: Frontier;
  readonly fetcher: Fetcher;
  readonly visitor: Visitor;
  readonly graph: LinkGraph;
  readonly spent: Readonly<Spent>;
}

/** Close the fetcher when the run is over, however it ended. */
export async function crawling(start: string, settings: CrawlSettings, pagesPath: string): Promise<Crawling> {
  const frontier = new Frontier(start, settings);
  const fetcher = new Fetcher(settings);
  const graph = new LinkGraph();
  const visitor = new Visitor({ frontier, fetcher, graph, attempts: settings.attempts });
  const spent: Spent = { parseMs: 0, bytes: 0 };

  const fetched = from(frontier)
    .map((task) => visitor.visit(task), {
      concurrency: Math.min(MOST_VISITS, settings.perHost * settings.origins.size),
      ordered: false,
    })
    .filter((page): page is Fetched => page !== undefined)
    .tap(({ bytes }) => {
      spent.bytes += bytes.length;
    });
  const pages = (await parsed(fetched, settings.threads)).map(
    ({ task, page, parseMs, isNofollow }: Parsed) => {
      spent.parseMs += parseMs;
      graph.note({ task, kind: 'page', status: page.status, title: page.title }, page.links);
      frontier.found(task, page.links, isNofollow);
      return page;
    },
  );
  // A page that was given up is not waited for: the frontier would never end.
  const refused = (letters: readonly DeadLetter[]): void => {
    for (const { item, error } of letters) {
      const { task, status } = item as Fetched;
      graph.note({
        task,
        kind: 'broken',
        status,
        reason: `it cannot be parsed (${error.code ?? error.name})`,
      });
      frontier.found(task, []);
    }
  };
  const pipeline = new ConcurrentPipeline<Page>(pages, new FileSink<Page>(pagesPath, { format: 'ndjson' }))
    .name('web-scraper')
    .bufferSize(BUFFER_PAGES)
    .deadLetter(refused);
  return { pipeline, frontier, fetcher, visitor, graph, spent };
}

async function parsed(pages: Flow<Fetched>, threads: number): Promise<Flow<Parsed>> {
  // The parser is loaded where it works.
  if (threads === 0) return pages.map((await import('./parse.ts')).default, { onError: 'deadLetter' });
  return pages.through(
    inWorkers<typeof parse>(new URL('./parse.js', import.meta.url), {
      name: 'parse',
      threads,
      batchSize: 1,
      timeoutMs: PARSE_TIMEOUT_MS,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
    }),
    { ordered: false, onError: 'deadLetter' },
  );
}
