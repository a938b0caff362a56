/** What may be given, and what is said when it is something else. */

import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { ArgumentError } from '@streamweld/app-kit';
import { normalise, originOf } from './address.ts';

export interface Arguments {
  /** Where the crawl starts. None: npm's manual, which the app serves. */
  readonly address: string | undefined;
  /** A folder. */
  readonly out: string | undefined;
  /** None: pages are parsed on the main thread. */
  readonly threads: number;
  readonly maxPages: number;
  readonly maxDepth: number;
  readonly perHost: number;
  readonly delayMs: number;
  readonly timeoutMs: number;
  readonly maxBytes: number;
  readonly attempts: number;
  /** Other sites to go to, as `https://example.org`. */
  readonly origins: readonly string[];
  /** Of the manual. */
  readonly copies: number;
  readonly progress: (typeof PROGRESS)[number];
  readonly inspect: boolean;
}

const PROGRESS = ['auto', 'tty', 'plain', 'json', 'none'] as const;

export const USAGE = `A site crawled politely: pages are fetched at once, parsed on threads, and written with a graph of their links.

  npx --yes pnpm@12 example web-scraper [address] [options]

Without an address it serves npm's manual on this machine, crawls it on the main thread and on threads, and proves what
came of it.

  --out FOLDER      where pages.ndjson and links.csv go. Default: scraped/ and the host of the address
  --threads N       that parse pages; 0 parses them on the main thread. Default: one for each processor
  --pages N         the most addresses that are requested. Default: 1000; of the manual all
  --depth N         the most links from the start. Default: 20
  --per-host N      requests of one site at once. Default: 2; of the manual 8
  --delay MS        from one request of a site to the next. Default: 200; of the manual 0
  --timeout S       for the whole of an answer. Default: 20
  --bytes N         the most of a page. Default: 5000000
  --attempts N      how often an address is requested that fails in a way that may pass. Default: 4
  --origin SITE     another site that is gone to, as https://example.org; may be given again. Default: only the address's own
  --copies N        of the manual, side by side: a larger site. Default: 4
  --progress HOW    on stderr: ${PROGRESS.join(', ')}. Default: auto
  --inspect         a page on this machine shows it too: its address is told
  --help            this text

Ctrl-C requests nothing more, finishes what is under way, and reports; a second one gives up.`;

/** @throws ArgumentError */
export function readArguments(args: readonly string[]): Arguments {
  const { values, positionals } = parse(args);
  if (positionals.length > 1)
    throw new ArgumentError(`expected one address, got ${positionals.length}: ${positionals.join(' ')}`);
  const [given] = positionals;
  const address = given === undefined ? undefined : readAddress('the address', given);
  const isOwn = address === undefined;
  if (!isOwn && values.copies !== undefined)
    throw new ArgumentError('--copies: expected no address beside it, for it is of the manual.');
  if (isOwn && values.origin !== undefined)
    throw new ArgumentError('--origin: expected an address to start from beside it, got none.');
  return {
    address,
    out: values.out,
    threads: read('--threads', values.threads, 0, 64) ?? Math.min(64, availableParallelism()),
    maxPages: read('--pages', values.pages, 1, 1_000_000) ?? (isOwn ? 1_000_000 : 1000),
    maxDepth: read('--depth', values.depth, 0, 1000) ?? 20,
    perHost: read('--per-host', values['per-host'], 1, 64) ?? (isOwn ? 8 : 2),
    delayMs: read('--delay', values.delay, 0, 600_000) ?? (isOwn ? 0 : 200),
    timeoutMs: (read('--timeout', values.timeout, 1, 600) ?? 20) * 1000,
    maxBytes: read('--bytes', values.bytes, 1, 100_000_000) ?? 5_000_000,
    attempts: read('--attempts', values.attempts, 1, 20) ?? 4,
    origins: (values.origin ?? []).map((site) => originOf(readAddress('--origin', site))),
    copies: read('--copies', values.copies, 1, 1000) ?? 4,
    progress: readProgress(values.progress),
    inspect: values.inspect,
  };
}

function parse(args: readonly string[]) {
  const text = { type: 'string' } as const;
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        out: text,
        threads: text,
        pages: text,
        depth: text,
        'per-host': text,
        delay: text,
        timeout: text,
        bytes: text,
        attempts: text,
        origin: { type: 'string', multiple: true },
        copies: text,
        progress: { type: 'string', default: 'auto' },
        inspect: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    throw new ArgumentError(error instanceof Error ? error.message : String(error));
  }
}

function readAddress(what: string, text: string): string {
  const address = normalise(text);
  if (address !== undefined) return address;
  throw new ArgumentError(
    `${what}: expected one of the web, as https://example.org/, got ${JSON.stringify(text)}.`,
  );
}

function read(option: string, text: string | undefined, least: number, most: number): number | undefined {
  if (text === undefined) return undefined;
  const value = /^\d{1,12}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw new ArgumentError(
    `${option}: expected a whole number from ${least} to ${most}, got ${JSON.stringify(text)}.`,
  );
}

function readProgress(text: string): Arguments['progress'] {
  const mode = PROGRESS.find((each) => each === text);
  if (mode !== undefined) return mode;
  throw new ArgumentError(`--progress: expected one of ${PROGRESS.join(', ')}, got ${JSON.stringify(text)}.`);
}
