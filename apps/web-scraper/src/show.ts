/** Without an address: npm's manual is served, fetched, and crawled on the main thread and on threads. */

import { mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Arguments } from './arguments.ts';
import { type Check, checkOutput } from './checks.ts';
import { crawl, type Crawled, settingsOf, type Watch } from './crawl.ts';
import { type FetchedOnly, fetchOnly } from './fetch-only.ts';
import { checkManual, readLog } from './manual-checks.ts';
import { walkManual } from './manual-walk.ts';
import { countOf } from './numbers.ts';
import { checkLines, crawlLines, graphLines, speedLines } from './report.ts';
import { ManualSite } from './site.ts';

/** Now and then the server has too much to do, as real ones have. */
const FAIL_EVERY = 100;

/** @returns whether all that was done is proved */
export async function show(given: Arguments, watch: Watch, say: (line: string) => void): Promise<boolean> {
  const folder = join(given.out ?? tmpdir(), 'streamweld-web-scraper');
  await rm(folder, { recursive: true, force: true });
  const copies = given.copies === 1 ? '' : `, ${given.copies} times side by side`;
  say(`StreamWeld · npm's manual${copies}, served on this machine, into ${folder}`);
  const crawls: Crawled[] = [];
  const checks: Check[] = [];
  for (const threads of new Set([0, given.threads])) {
    const name = threads === 0 ? 'main-thread' : 'threads';
    const { crawled, checks: found } = await goRound(given, threads, join(folder, name), watch);
    crawls.push(crawled);
    const on = threads === 0 ? 'main thread' : countOf(threads, 'thread');
    checks.push(...found.map(({ holds, text }) => ({ holds, text: `${on}: ${text}` })));
    say(`  parsed on ${threads === 0 ? 'the main thread' : on}`);
    for (const line of crawlLines(crawled)) say(`  ${line}`);
    if (watch.shutdown.isWanted) break;
  }
  const last = crawls.at(-1);
  if (last !== undefined && !watch.shutdown.isWanted) {
    const alone = await fetchAgain(last, given, folder, watch);
    if (!watch.shutdown.isWanted) for (const line of speedLines(alone, crawls)) say(line);
  }
  if (last !== undefined)
    for (const line of graphLines(last, `${last.start}${given.copies === 1 ? '' : '1/'}`)) say(line);
  for (const line of checkLines(checks)) say(line);
  return checks.every(({ holds }) => holds);
}

interface Round {
  readonly crawled: Crawled;
  readonly checks: readonly Check[];
}

/** A server of its own: its log is of this round alone. */
async function goRound(given: Arguments, threads: number, folder: string, watch: Watch): Promise<Round> {
  await mkdir(folder, { recursive: true });
  const accessLog = join(folder, 'access.log');
  await using site = await ManualSite.start({ accessLog, copies: given.copies, failEvery: FAIL_EVERY });
  const crawled = await crawl(site.url, settingsOf(given, site.url, threads), folder, watch);
  await site.close();
  const { pages, checks } = await checkOutput(crawled);
  const expected = walkManual(site.url, given.copies);
  return { crawled, checks: [...checkManual(crawled, pages, expected, await readLog(accessLog)), ...checks] };
}

/** The pages that were crawled, of the same kind of server. */
async function fetchAgain(
  { start, graph, settings }: Crawled,
  given: Arguments,
  folder: string,
  { shutdown }: Watch,
): Promise<FetchedOnly> {
  await using site = await ManualSite.start({ accessLog: join(folder, 'fetched.log'), copies: given.copies });
  const paths = [...graph.visits].flatMap(({ kind, task }) =>
    kind === 'page' ? [task.address.slice(start.length)] : [],
  );
  return await fetchOnly(
    paths.map((path) => site.url + path),
    settings,
    shutdown,
  );
}
