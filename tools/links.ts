/** The links between the documents of the repository: those whose file or heading is not there. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';

/** A path of the repository as packages name it, which see nothing of the repository once they are installed. */
const OWN = /^https:\/\/github\.com\/streamweld\/streamweld\/(?:blob|tree)\/main\//;
const LEFT_OUT = new Set(['node_modules', 'dist', '.git', '.nx', '.blocks', '.site', 'coverage']);

/** Every Markdown file below a folder, as paths from there with forward slashes. What is installed or built is left out. */
export function listDocuments(root: string): string[] {
  const found: string[] = [];
  const walk = (folder: string): void => {
    for (const entry of readdirSync(path.join(root, folder), { withFileTypes: true })) {
      const name = path.posix.join(folder, entry.name);
      if (entry.isDirectory() && !LEFT_OUT.has(entry.name)) walk(name);
      else if (entry.isFile() && entry.name.endsWith('.md')) found.push(name);
    }
  };
  walk('.');
  return found.sort();
}

/**
 * @param document its path from the root
 * @returns a line for each link that leads nowhere; links out of the repository are not looked at
 */
export function findBrokenLinks(root: string, document: string, text: string): string[] {
  return linksOf(text).flatMap(({ target, line }) => {
    const problem = problemOf(root, document, target);
    return problem === undefined ? [] : [`${document}:${line}: ${target}: ${problem}`];
  });
}

function problemOf(root: string, document: string, target: string): string | undefined {
  const isOwn = OWN.test(target);
  if (!isOwn && /^[a-z][a-z0-9+.-]*:|^\/\//i.test(target)) return undefined;
  const [way = '', anchor] = target.replace(OWN, '').split('#');
  let file = document;
  if (way !== '') {
    const from = isOwn ? '.' : path.posix.dirname(document);
    file = path.posix.join(from, decodeURIComponent(way));
  }
  if (file.startsWith('..')) return 'it leads out of the repository';
  if (!existsSync(path.join(root, file))) return 'there is no such file';
  if (anchor === undefined) return undefined;
  const page = statSync(path.join(root, file)).isDirectory() ? path.posix.join(file, 'README.md') : file;
  if (!page.endsWith('.md') || !existsSync(path.join(root, page))) return 'it has no headings';
  // What GitHub calls the README below the list of a folder.
  if (page !== file && anchor === 'readme') return undefined;
  return anchorsOf(readFileSync(path.join(root, page), 'utf8')).has(decodeURIComponent(anchor))
    ? undefined
    : 'there is no such heading';
}

/** Of Markdown, without what is code: `[text](target)`, images, and `[text]: target`. */
export function linksOf(text: string): { target: string; line: number }[] {
  return withoutCode(text).flatMap((content, index) =>
    [
      ...content.matchAll(/\]\(\s*<?([^\s<>()]+(?:\([^\s()]*\)[^\s<>()]*)*)>?(?:\s+"[^"]*")?\s*\)/g),
      ...content.matchAll(/^\s*\[[^\]]+\]:\s*<?(\S+?)>?(?:\s|$)/g),
    ].map(([, target = '']) => ({ target, line: index + 1 })),
  );
}

/** What a heading is called in an address, as GitHub makes it. */
export function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>();
  const counts = new Map<string, number>();
  for (const line of withoutFences(text)) {
    const heading = /^#{1,6}\s+(.+?)\s*#*\s*$/.exec(line)?.[1];
    if (heading === undefined) continue;
    const slug = heading
      .replaceAll(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\p{M}_\- ]/gu, '')
      .replaceAll(' ', '-');
    const count = counts.get(slug) ?? 0;
    counts.set(slug, count + 1);
    anchors.add(count === 0 ? slug : `${slug}-${count}`);
  }
  return anchors;
}

function withoutCode(text: string): string[] {
  return withoutFences(text).map((line) => line.replaceAll(/(`+)(?!`).*?[^`]\1(?!`)/g, ''));
}

/** The lines, those of fenced blocks empty, so that each keeps its number. */
export function withoutFences(text: string): string[] {
  let fence: string | undefined;
  return text.split(/\r?\n/).map((line) => {
    const mark = /^\s*(`{3,}|~{3,})/.exec(line)?.[1];
    if (fence === undefined && mark === undefined) return line;
    if (fence === undefined) fence = mark;
    else if (mark?.startsWith(fence)) fence = undefined;
    return '';
  });
}
