/** What is looked at once the manual was crawled: the files of the manual and the server's own log are the witnesses. */

import { readFile } from 'node:fs/promises';
import type { Check } from './checks.ts';
import type { Crawled } from './crawl.ts';
import type { Expected } from './manual-walk.ts';
import { countOf, whole } from './numbers.ts';
import type { Page } from './parse.ts';
import { DISALLOWED } from './site.ts';

interface Logged {
  readonly path: string;
  readonly status: number;
  readonly bytes: number;
}

export async function readLog(path: string): Promise<Logged[]> {
  const text = await readFile(path, 'utf8');
  return text.split('\n').flatMap((line) => {
    const found = /"GET (\S+) HTTP\/1\.1" (\d{3}) (\d+|-) /.exec(line);
    if (found === null) return [];
    const [, logged = '', status, bytes] = found;
    return [{ path: logged, status: Number(status), bytes: bytes === '-' ? 0 : Number(bytes) }];
  });
}

export function checkManual(
  { fetcher, report, visitor, graph, frontier }: Crawled,
  pages: readonly Page[],
  expected: Expected,
  log: readonly Logged[],
): Check[] {
  const isWhole = report.outcome === 'completed' && frontier.leftOut.depth + frontier.leftOut.pages === 0;
  const served = timesOf(log.filter(({ status, path }) => status === 200 && path !== '/robots.txt'));
  const once = [...expected.pages.keys()].filter((path) => served.get(path) === 1).length;
  const others = [...served].filter(([path, times]) => times !== 1 || !expected.pages.has(path)).length;
  const missed = timesOf(log.filter(({ status }) => status === 404));
  const missing = [...expected.missing].filter((path) => missed.get(path) === 1).length;
  const passing = log.filter(({ status }) => status >= 500).length;
  const wrong = pages.filter((page) => !agrees(page, expected)).length;
  const wanted = log.filter(({ path }) => path === DISALLOWED).length;
  const isLinked = pages.some(({ links }) => links.some((link) => new URL(link).pathname === DISALLOWED));
  const all = (found: number, of: number) => (isWhole ? found === of : found <= of);
  return [
    {
      holds: all(once, expected.pages.size) && others === 0 && once === pages.length,
      text: `${whole(once)} of ${countOf(expected.pages.size, 'page')} that can be reached were served once, ${others} more than once${isWhole ? '' : ': it was not to go to its end'}`,
    },
    {
      holds: wrong === 0,
      text: `${whole(pages.length - wrong)} of ${countOf(pages.length, 'page')} have the title, the links and the bytes that are in the files`,
    },
    {
      holds:
        all(missing, expected.missing.size) && missed.size === missing && graph.broken().length === missing,
      text: `${whole(missing)} of ${countOf(expected.missing.size, 'address')} that lead to nothing were found broken`,
    },
    {
      holds: log.length === fetcher.requests && passing === visitor.retried,
      text: `${countOf(fetcher.requests, 'request')} made, ${whole(log.length)} in the server's log; ${whole(visitor.retried)} made again, ${whole(passing)} answers that may pass`,
    },
    {
      holds: wanted === 0 && (isLinked || pages.length === 0),
      text: `${DISALLOWED}, which robots.txt asks to leave alone, is linked and was requested ${wanted} times`,
    },
  ];
}

function timesOf(log: readonly Logged[]): Map<string, number> {
  const times = new Map<string, number>();
  for (const { path } of log) times.set(path, (times.get(path) ?? 0) + 1);
  return times;
}

/** Of a listing, which the site makes, nothing is known beforehand. */
function agrees({ address, title, links, bytes }: Page, { pages }: Expected): boolean {
  const expected = pages.get(new URL(address).pathname);
  if (expected?.title === undefined) return expected !== undefined;
  return (
    expected.title === title &&
    expected.bytes === bytes &&
    expected.links.size === links.length &&
    links.every((link) => expected.links.has(link))
  );
}
