/**
 * Links of documents lead from file to file, so that they work where the repository is shown. On the site they lead from page
 * to page, and to the repository where the file is no page. A link to what is not there is an error, and so is an anchor.
 */

import { existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import GithubSlugger from 'github-slugger';
import { repository, root } from './pages.ts';

export type Places = ReadonlyMap<string, string>;

const OWN_ADDRESS = new RegExp(`^${repository}/(?:blob|tree)/main/`, 'u');
/** A target of `[text](target)`, `![text](target)`, or of `[name]: target` at the beginning of a line. */
const TARGET = /(?<=\]\()[^()\s]+(?:\([^()\s]*\))?(?=(?:\s+"[^"]*")?\))|(?<=^\[[^\]]+\]: )\S+/gmu;

/**
 * @param file from the root of the repository; its links are relative to it
 * @param place of the page on the site
 * @param problems gets a line for each link that leads nowhere
 * @returns the text, with links as they are on the site
 */
export function relink(
  text: string,
  file: string,
  place: string,
  places: Places,
  problems: string[],
): string {
  return outsideCode(text, (prose) =>
    prose.replace(TARGET, (target) => {
      if (/^[a-z]+:/iu.test(target) && !OWN_ADDRESS.test(target)) return target;
      const [to = '', anchor] = target.replace(OWN_ADDRESS, '/').split('#');
      const found = find(to, file);
      if (found === undefined) {
        problems.push(`${file}: ${target} leads to nothing`);
        return target;
      }
      if (
        anchor !== undefined &&
        anchor !== 'readme' &&
        found.endsWith('.md') &&
        !anchorsOf(found).has(anchor)
      )
        problems.push(`${file}: ${target}: there is no heading #${anchor} in ${found}`);
      // What GitHub calls the README below the list of a folder is the page itself.
      const hash = anchor === undefined || anchor === 'readme' ? '' : `#${anchor}`;
      if (found === file) return hash;
      const page = places.get(found);
      if (page !== undefined) return relativeTo(place, page) + hash;
      const kind = statSync(path.join(root, found)).isDirectory() ? 'tree' : 'blob';
      return `${repository}/${kind}/main/${found}${hash}`;
    }),
  );
}

/** Pictures that a document shows, from the root of the repository. */
export function picturesOf(text: string, file: string): string[] {
  const pictures: string[] = [];
  outsideCode(text, (prose) => {
    for (const [, target] of prose.matchAll(/!\[[^\]]*\]\((?![a-z]+:)([^)\s]+)/gu))
      pictures.push(path.posix.join(path.posix.dirname(file), target as string));
    return prose;
  });
  return pictures;
}

/** Lines with `#` that are headings. */
function headingsOf(text: string): string[] {
  const headings: string[] = [];
  // A heading may hold code: only fences are left out.
  for (const part of text.split(FENCE))
    if (!/^ *(?:```|~~~)/u.test(part))
      for (const [, heading] of part.matchAll(/^#{1,6} +(.+?) *#*$/gmu)) headings.push(heading as string);
  return headings;
}

/** A folder is its README, where it has one. */
function find(target: string, file: string): string | undefined {
  if (target === '') return file;
  const from = target.startsWith('/') ? '.' : path.posix.dirname(file);
  const found = path.posix.normalize(path.posix.join(from, decodeURI(target))).replace(/\/$/u, '');
  if (found.startsWith('..') || !existsSync(path.join(root, found))) return undefined;
  const readme = path.posix.join(found, 'README.md');
  return statSync(path.join(root, found)).isDirectory() && existsSync(path.join(root, readme))
    ? readme
    : found;
}

function relativeTo(from: string, to: string): string {
  const way = path.posix.relative(path.posix.dirname(from), to);
  return way.startsWith('.') ? way : `./${way}`;
}

const anchors = new Map<string, ReadonlySet<string>>();

/** As GitHub makes them, which the site does too. */
function anchorsOf(file: string): ReadonlySet<string> {
  let found = anchors.get(file);
  if (found === undefined) {
    const slugger = new GithubSlugger();
    const text = readFileSync(path.join(root, file), 'utf8');
    found = new Set(headingsOf(text).map((heading) => slugger.slug(plain(heading))));
    anchors.set(file, found);
  }
  return found;
}

/** What is seen of a heading. */
function plain(heading: string): string {
  return heading.replace(/!?\[([^\]]*)\]\([^)]*\)/gu, '$1').replace(/[`*]/gu, '');
}

const FENCE = /(^ *(?:```|~~~)[\s\S]*?^ *(?:```|~~~) *$)/mu;
const CODE = /(^ *(?:```|~~~)[\s\S]*?^ *(?:```|~~~) *$|(`+)(?!`)[\s\S]*?[^`]\2(?!`))/gmu;

/** Changes what is neither in a fence nor in code of a line. */
function outsideCode(text: string, change: (prose: string) => string): string {
  let changed = '';
  let at = 0;
  // What a link is called may hold code: so prose is put together around a mark, and code comes back in its place.
  const codes: string[] = [];
  for (const match of text.matchAll(CODE)) {
    changed += `${text.slice(at, match.index)}\u0000`;
    codes.push(match[0]);
    at = match.index + match[0].length;
  }
  return change(changed + text.slice(at)).replaceAll('\u0000', () => codes.shift() as string);
}
