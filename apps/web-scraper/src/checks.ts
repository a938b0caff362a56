/** What is looked at once a crawl is over: what it told is compared with what lies in its files. */

import { readFile } from 'node:fs/promises';
import { keyOf, originOf } from './address.ts';
import type { Crawled } from './crawl.ts';
import { countOf, whole } from './numbers.ts';
import type { Page } from './parse.ts';

export interface Check {
  readonly holds: boolean;
  readonly text: string;
}

/** What the files hold, and whether it is what was told. */
export async function checkOutput(crawled: Crawled): Promise<{ pages: Page[]; checks: Check[] }> {
  const pages = await readPages(crawled.pagesPath);
  const links = await readFile(crawled.linksPath, 'utf8');
  const lines = links.split('\n').filter((line) => line !== '').length;
  // The first one names the columns; where there is no link there is none.
  return { pages, checks: checkFiles(crawled, pages, Math.max(0, lines - 1)) };
}

async function readPages(path: string): Promise<Page[]> {
  const text = await readFile(path, 'utf8');
  return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Page]));
}

function checkFiles(crawled: Crawled, pages: readonly Page[], linkLines: number): Check[] {
  const { graph, report, settings } = crawled;
  const keys = new Set(pages.map(({ address }) => keyOf(address)));
  const elsewhere = pages.filter(({ address }) => !settings.origins.has(originOf(address))).length;
  const links = pages.reduce((sum, page) => sum + new Set(page.links.map(keyOf)).size, 0);
  return [
    {
      holds:
        pages.length === graph.count('page') && pages.length === report.written && keys.size === pages.length,
      text: `${whole(graph.count('page'))} pages parsed, ${countOf(pages.length, 'line')} in pages.ndjson, ${whole(keys.size)} addresses`,
    },
    {
      holds: elsewhere === 0,
      text: `${elsewhere} of them elsewhere than ${[...settings.origins].join(', ')}`,
    },
    {
      holds: links === linkLines,
      text: `${countOf(links, 'link')} in the pages, ${countOf(linkLines, 'line')} in links.csv`,
    },
    checkClosure(crawled, pages),
  ];
}

/** Whatever the pages link to was requested, or there is a reason; and nothing else was. */
function checkClosure({ start, graph, settings, frontier, report }: Crawled, pages: readonly Page[]): Check {
  const due = new Set([keyOf(start)]);
  for (const { links } of pages)
    for (const link of links) if (settings.origins.has(originOf(link))) due.add(keyOf(link));
  for (const { to } of graph.visits)
    if (to !== undefined && settings.origins.has(originOf(to))) due.add(keyOf(to));
  let visited = 0;
  let uncalled = 0;
  for (const { task } of graph.visits) {
    visited += 1;
    if (!due.has(keyOf(task.address))) uncalled += 1;
  }
  const left = due.size - visited;
  const { depth, pages: beyond, nofollow } = frontier.leftOut;
  const reason =
    report.outcome === 'drained'
      ? ': it was stopped'
      : depth + beyond > 0
        ? ': beyond the limits'
        : nofollow > 0
          ? ': their pages asked for it'
          : '';
  return {
    holds: uncalled === 0 && (left === 0 || (left > 0 && reason !== '')),
    text: `${whole(due.size)} addresses of the site are linked, ${whole(visited)} were visited, ${whole(left)} left out${left === 0 ? '' : reason}, ${uncalled} visited without a link`,
  };
}
