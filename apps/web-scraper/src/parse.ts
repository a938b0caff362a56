/** The work of a thread: the bytes of a page become its title, its headings, its links and its text. */

import { type CheerioAPI, loadBuffer } from 'cheerio';
import { normalise } from './address.ts';
import type { Task } from './frontier.ts';

/** A page as it was fetched. */
export interface Fetched {
  readonly task: Task;
  readonly status: number;
  /** The header: it may say the encoding. */
  readonly contentType: string;
  readonly bytes: Uint8Array;
  readonly fetchMs: number;
}

/** A page as it is written: a line of NDJSON. */
export interface Page {
  readonly address: string;
  /** The first page that was seen to have a link to it. */
  readonly from: string | null;
  /** Links from the start. */
  readonly depth: number;
  readonly status: number;
  readonly bytes: number;
  readonly title: string;
  /** Of the attribute `lang`. */
  readonly language: string | null;
  readonly headings: readonly string[];
  /** Addresses of the web, each once, in the order of the page. */
  readonly links: readonly string[];
  /** What is to be read, with single spaces. */
  readonly text: string;
}

/** What crosses back. */
export interface Parsed {
  readonly task: Task;
  readonly page: Page;
  readonly parseMs: number;
  /** The page asks robots to follow none of its links. */
  readonly isNofollow: boolean;
}

export default function parse({ task, status, contentType, bytes }: Fetched): Parsed {
  const began = performance.now();
  const encoding = /charset\s*=\s*"?([^\s;"]+)/i.exec(contentType)?.[1];
  // It finds the encoding as browsers do: the mark at the beginning, the header, the page's own word, then a guess.
  const $ = loadBuffer(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), {
    encoding: {
      ...(encoding === undefined ? {} : { transportLayerEncodingLabel: encoding }),
      defaultEncoding: 'utf-8',
    },
  });
  const page: Page = {
    address: task.address,
    from: task.from ?? null,
    depth: task.depth,
    status,
    bytes: bytes.length,
    title: tidy($('head > title').first().text()),
    language: $('html').attr('lang') ?? null,
    headings: $('h1, h2, h3')
      .map((_, heading) => tidy($(heading).text()))
      .get(),
    links: linksOf($, task.address),
    text: textOf($),
  };
  const isNofollow = /\b(nofollow|none)\b/i.test($('meta[name="robots" i]').attr('content') ?? '');
  return { task, page, parseMs: performance.now() - began, isNofollow };
}

function linksOf($: CheerioAPI, address: string): string[] {
  const base = $('base[href]').first().attr('href');
  const against = base !== undefined && URL.canParse(base, address) ? new URL(base, address).href : address;
  const links = new Set<string>();
  for (const element of $('a[href], area[href]')) {
    const link = normalise($(element).attr('href') ?? '', against);
    if (link !== undefined) links.add(link);
  }
  return [...links];
}

function textOf($: CheerioAPI): string {
  $('script, style, noscript, template').remove();
  return tidy($('body').text());
}

function tidy(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim();
}
