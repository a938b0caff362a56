/**
 * Which files of the repository are pages, and where each is on the site. A page is written once, where it belongs; here it
 * only gets an address.
 */

import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';

export const root: string = path.resolve(import.meta.dirname, '../..');
export const repository = 'https://github.com/streamweld/streamweld';

export interface Page {
  /** From the root of the repository, as in `packages/core/README.md`. */
  readonly file: string;
  /** On the site, as in `packages/core.md`. */
  readonly place: string;
}

export interface Group {
  readonly title: string;
  readonly pages: readonly Page[];
}

/** Guides stand in this order; those that are not named follow by their names. */
const GUIDES = [
  'first-pipeline',
  'choose-a-dispatcher',
  'test-a-pipeline',
  'operate-a-pipeline',
  'write-a-connector',
];
const CONCEPTS = ['concurrency-and-dispatchers', 'delivery', 'past-one-machine'];
const FACTS = ['contracts', 'errors', 'limits', 'compatibility', 'benchmarks'];
const PROJECT = ['ARCHITECTURE', 'CONTRIBUTING', 'SECURITY', 'CODE_OF_CONDUCT', 'AGENTS'];

/** As the sidebar shows them. @throws Error where a document is in no group: nobody would find it. */
export function groups(): readonly Group[] {
  const own = (name: string): Page => ({ file: `docs/${name}.md`, place: `${name}.md` });
  const readmes = (folder: string): Page[] =>
    readdirSync(path.join(root, folder))
      .filter((name) => existsSync(path.join(root, folder, name, 'README.md')))
      .map((name) => ({ file: `${folder}/${name}/README.md`, place: `${folder}/${name}.md` }));
  const guides = markdownIn('docs/guides');
  const isComing = (name: string): boolean => name.startsWith('coming-from-');
  const guide = (name: string): Page => ({ file: `docs/guides/${name}.md`, place: `guides/${name}.md` });
  const listed = [
    {
      title: 'Guides',
      pages: inOrder(guides, GUIDES)
        .filter((name) => !isComing(name))
        .map(guide),
    },
    { title: 'Coming from', pages: guides.filter(isComing).map(guide) },
    { title: 'Ideas', pages: CONCEPTS.map(own) },
    { title: 'Packages', pages: firstly(readmes('packages'), 'packages/core.md') },
    { title: 'Look up', pages: FACTS.map(own) },
    { title: 'Examples', pages: readmes('apps') },
    {
      title: 'The project',
      pages: [
        ...PROJECT.filter((name) => existsSync(path.join(root, `${name}.md`))).map((name) => ({
          file: `${name}.md`,
          place: `project/${name.toLowerCase().replaceAll('_', '-')}.md`,
        })),
        ...(existsSync(path.join(root, 'docs/code-map.md')) ? [own('code-map')] : []),
      ],
    },
  ].filter(({ pages }) => pages.length > 0);
  const known = new Set(listed.flatMap(({ pages }) => pages.map(({ file }) => file)));
  const lost = markdownIn('docs')
    .map((name) => `docs/${name}.md`)
    .filter((file) => !known.has(file));
  if (lost.length > 0)
    throw new Error(`No sidebar shows ${lost.join(', ')}: name it in a group of docs/site/pages.ts.`);
  return listed;
}

function inOrder(names: readonly string[], order: readonly string[]): string[] {
  return [...order.filter((name) => names.includes(name)), ...names.filter((name) => !order.includes(name))];
}

function firstly(pages: readonly Page[], place: string): Page[] {
  return [...pages.filter((page) => page.place === place), ...pages.filter((page) => page.place !== place)];
}

function markdownIn(folder: string): string[] {
  const at = path.join(root, folder);
  if (!existsSync(at)) return [];
  return readdirSync(at)
    .filter((name) => name.endsWith('.md'))
    .map((name) => name.slice(0, -'.md'.length));
}
