/** A crawl from its first request to its files: watched, and stopped by Ctrl-C. */

import { join } from 'node:path';
import { ConcurrentPipeline, from, type GracefulShutdown, type RunReport } from '@streamweld/core';
import { FileSink } from '@streamweld/file';
import type { Inspector } from '@streamweld/observe/inspector';
import { progress } from '@streamweld/observe/progress';
import type { Arguments } from './arguments.ts';
import { originOf } from './address.ts';
import type { Link } from './link-graph.ts';
import { crawling, type Crawling, type CrawlSettings } from './pipeline.ts';
import { threadCpuMs } from './thread-cpu.ts';

export interface Watch {
  readonly progress: Arguments['progress'];
  /** Shows it too, where one was asked for. */
  readonly inspector: Inspector | undefined;
  readonly shutdown: GracefulShutdown;
}

export interface Crawled extends Crawling {
  readonly start: string;
  readonly settings: CrawlSettings;
  readonly report: RunReport;
  /** What the main thread took of a processor, in milliseconds: the server of the manual is on it too. */
  readonly mainMs: number;
  /** NDJSON: a page a line. */
  readonly pagesPath: string;
  /** CSV: a link a line. */
  readonly linksPath: string;
}

/** Without a terminal, a line so often. */
const TELL_EVERY_MS = 2000;

export function settingsOf(given: Arguments, start: string, threads: number): CrawlSettings {
  const { maxPages, maxDepth, perHost, delayMs, timeoutMs, maxBytes, attempts } = given;
  const origins = new Set([originOf(start), ...given.origins]);
  return { maxPages, maxDepth, perHost, delayMs, timeoutMs, maxBytes, attempts, origins, threads };
}

export async function crawl(
  start: string,
  settings: CrawlSettings,
  folder: string,
  { progress: mode, inspector, shutdown }: Watch,
): Promise<Crawled> {
  const pagesPath = join(folder, 'pages.ndjson');
  const linksPath = join(folder, 'links.csv');
  const crawled = await crawling(start, settings, pagesPath);
  const { pipeline, fetcher, graph } = crawled;
  // The report at the end says more than the table of progress would.
  progress(pipeline, { mode, everyMs: mode === 'json' ? undefined : TELL_EVERY_MS, report: false });
  const hide = inspector?.add(pipeline);
  const before = threadCpuMs();
  try {
    const report = await shutdown.run(pipeline);
    const mainMs = threadCpuMs() - before;
    await new ConcurrentPipeline(
      from<Link>(graph.links()),
      new FileSink<Link>(linksPath, { format: 'csv' }),
    ).run({
      signal: shutdown.signal,
    });
    return { ...crawled, start, settings, report, mainMs, pagesPath, linksPath };
  } finally {
    hide?.();
    await fetcher.close();
  }
}
