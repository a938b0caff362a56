/** The work of a thread: the bytes of a page become its title, its headings, its links and its text. */

import { type Cheerio, type CheerioAPI, loadBuffer } from 'cheerio';
import { normalise } from './address.ts';
import type { Task } from './frontier.ts';
import { threadCpuMs } from './thread-cpu.ts';

/** A page as it was fetched. */
export interface Fetched {
  readonly task: Task;
  readonly status: number;
  /** The header: it may say the encoding. */
  readonly contentType: string;
  readonly bytes: Uint8Array;
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
  /** Of a processor, in milliseconds. */
  readonly parseMs: number;
  /** The page asks robots to follow none of its links. */
  readonly isNofollow: boolean;
}

export default function parse({ task, status, contentType, bytes }: Fetched): Parsed {
  const began = threadCpuMs();
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
  return { task, page, parseMs: threadCpuMs() - began, isNofollow };
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

type Node = ReturnType<ReturnType<CheerioAPI['root']>['contents']> extends Cheerio<infer N> ? N : never;

/** Within a line: words on both sides of any other element are two. */
const INLINE: ReadonlySet<string> = new Set(
  'a abbr b bdi bdo cite code data del dfn em font i ins kbd mark q s samp small span strong sub sup time tt u var wbr'.split(
    ' ',
  ),
);
const UNREAD: ReadonlySet<string> = new Set(['script', 'style', 'noscript', 'template']);

/** A loop instead of calls within calls: pages may be nested as deeply as they like. */
function textOf($: CheerioAPI): string {
  const parts: string[] = [];
  const stack: (string | Node)[] = $('body').contents().get().reverse();
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (typeof node === 'string') parts.push(node);
    else if (node.type === 'text') parts.push(node.data);
    else if ('name' in node && 'children' in node && !UNREAD.has(node.name)) {
      const gap = INLINE.has(node.name) ? '' : ' ';
      parts.push(gap);
      stack.push(gap);
      for (let at = node.children.length - 1; at >= 0; at -= 1) stack.push(node.children[at] as Node);
    }
  }
  return tidy(parts.join(''));
}

function tidy(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim();
}
