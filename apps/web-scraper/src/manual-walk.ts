/**
 * What a crawl of the manual must find, worked out without the crawler: its files are walked, with an expression for links
 * instead of a parser, and what the site adds is known.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MANUAL_FOLDER, manualPages } from './manual.ts';

export interface Expected {
  /** By its path: `/commands/npm-ls.html`. Listings of folders have no title here. */
  readonly pages: ReadonlyMap<string, ExpectedPage>;
  /** Paths that are linked and lead to nothing. */
  readonly missing: ReadonlySet<string>;
}

interface ExpectedPage {
  readonly title: string | undefined;
  /** Absolute, each once. */
  readonly links: ReadonlySet<string>;
  readonly bytes: number | undefined;
}

/** @param site `http://127.0.0.1:41234/` */
export function walkManual(site: string, copies: number): Expected {
  const roots = copies === 1 ? ['/'] : Array.from({ length: copies }, (_, at) => `/${at + 1}/`);
  const files = manualPages();
  const folders = [...new Set(files.map((file) => `${file.split('/')[0]}/`))];
  const there = new Map<string, string | undefined>(copies === 1 ? [] : [['/', undefined]]);
  for (const root of roots) {
    for (const folder of ['', ...folders]) there.set(root + folder, undefined);
    for (const file of files) there.set(root + file, file);
  }
  const pages = new Map<string, ExpectedPage>();
  const missing = new Set<string>();
  // What a listing links is there, so every file is reached: what remains is where the files themselves lead.
  for (const [path, file] of there) {
    const page = file === undefined ? undefined : readPage(file, new URL(path, site));
    pages.set(path, page ?? { title: undefined, links: new Set(), bytes: undefined });
    for (const link of page?.links ?? []) {
      const { origin, pathname } = new URL(link);
      if (origin === new URL(site).origin && !there.has(pathname)) missing.add(pathname);
    }
  }
  return { pages, missing };
}

function readPage(file: string, address: URL): ExpectedPage {
  const bytes = readFileSync(join(MANUAL_FOLDER, file));
  const html = bytes.toString('utf8').replaceAll(/<(script|style)\b.*?<\/\1>/gs, '');
  const title = /<title>(.*?)<\/title>/s.exec(html)?.[1] ?? '';
  const links = new Set<string>();
  for (const [, href = ''] of html.matchAll(/<a\s[^>]*?\bhref="([^"]*)"/g)) {
    const link = new URL(unescape(href), address);
    link.hash = '';
    if (link.protocol.startsWith('http')) links.add(link.href);
  }
  return { title: unescape(title), links, bytes: bytes.length };
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" };

function unescape(text: string): string {
  return text.replaceAll(/&(#?\w+);/g, (whole, name: string) => ENTITIES[name] ?? whole);
}
