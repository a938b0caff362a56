/** What is done with the arguments: a site is crawled, or, without one, the manual. */

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Refusal } from '@streamweld/app-kit';
import type { GracefulShutdown } from '@streamweld/core';
import { normalise, originOf } from './address.ts';
import type { Arguments } from './arguments.ts';
import { checkOutput } from './checks.ts';
import { crawl, type Crawled, settingsOf, type Watch } from './crawl.ts';
import { checkLines, crawlLines, graphLines } from './report.ts';
import { show } from './show.ts';

/** @returns whether all is proved */
export async function work(given: Arguments, shutdown: GracefulShutdown): Promise<boolean> {
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  const inspector = given.inspect ? await openInspector() : undefined;
  try {
    const watch: Watch = { progress: given.progress, inspector, shutdown };
    const { address } = given;
    return address === undefined
      ? await show(given, watch, say)
      : await crawlSite(address, given, watch, say);
  } finally {
    await inspector?.close();
  }
}

async function crawlSite(
  address: string,
  given: Arguments,
  watch: Watch,
  say: (line: string) => void,
): Promise<boolean> {
  const folder = given.out ?? join('scraped', new URL(address).host.replaceAll(':', '-'));
  await mkdir(folder, { recursive: true });
  say(`StreamWeld · ${address}, into ${folder}`);
  const crawled = await crawl(address, settingsOf(given, address, given.threads), folder, watch);
  checkStart(crawled);
  const { checks } = await checkOutput(crawled);
  for (const line of [...crawlLines(crawled), ...graphLines(crawled), ...checkLines(checks)]) say(line);
  return checks.every(({ holds }) => holds);
}

/** @throws Refusal where there was no page to begin with */
function checkStart({ start, graph, settings, report }: Crawled): void {
  const visit = graph.visitOf(start);
  if (visit === undefined && report.outcome === 'drained') return;
  const to = visit?.to === undefined ? undefined : normalise(visit.to);
  const why =
    visit?.kind === 'broken'
      ? `${visit.reason}. Check the address, and whether the site is up`
      : visit?.kind === 'disallowed'
        ? 'its robots.txt asks robots to leave it alone. Start at another page of it'
        : visit?.kind === 'file'
          ? 'it is no HTML. Start at a page that links to others'
          : to !== undefined && !settings.origins.has(originOf(to))
            ? `it redirects to ${to}, which is another site. Start there, or add --origin ${originOf(to)}`
            : undefined;
  if (why !== undefined) throw new Refusal('SCRAPER_NO_START', `${start} cannot be crawled: ${why}.`);
}

/** Nothing of it is loaded where it is not wanted. */
async function openInspector() {
  const { inspector } = await import('@streamweld/observe/inspector');
  const opened = await inspector([], { control: true, items: true });
  process.stderr.write(`Look at ${opened.url}\n`);
  return opened;
}
