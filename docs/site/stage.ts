/**
 * Puts the pages together in `docs/.site`, where VitePress takes them: documents with their links as they are on the site, the
 * front page, the reference, and the list for the sidebar.
 */

import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { frontPage } from './front-page.ts';
import { picturesOf, relink } from './links.ts';
import { groups, type Page, root } from './pages.ts';
import { titleOf } from './sections.ts';

const whole = path.join(root, 'docs/.site');
/** Pages, from which VitePress makes the site, and what is served as it stands. */
export const staged: string = path.join(whole, 'pages');
export const served: string = path.join(whole, 'public');

export interface Entry {
  readonly text: string;
  readonly link?: string;
  readonly collapsed?: boolean;
  readonly items?: readonly Entry[];
}

/** @throws Error with every link that leads nowhere */
export function stagePages(): readonly Entry[] {
  const shown = groups();
  const pages = [...shown.flatMap(({ pages: each }) => each), { file: 'README.md', place: 'start.md' }];
  const places = new Map(pages.map(({ file, place }) => [file, place]));
  const problems: string[] = [];
  const sidebar: Entry[] = [
    {
      text: 'Start',
      items: [{ text: 'What it is', link: '/start' }],
    },
  ];
  const titles = new Map<string, string>();
  for (const page of pages) titles.set(page.place, stage(page, places, problems));
  for (const { title, pages: each } of shown)
    sidebar.push({
      text: title,
      collapsed: title === 'Examples' || title === 'The project',
      items: each.map(({ place }) => ({ text: titles.get(place) as string, link: linkOf(place) })),
    });
  if (problems.length > 0) throw new Error(`Links that lead nowhere:\n  ${problems.join('\n  ')}`);
  const readme = readFileSync(path.join(root, 'README.md'), 'utf8');
  const front = frontPage(
    relink(readme, 'README.md', 'index.md', withPictures(readme, 'README.md', places), problems),
  );
  write('index.md', front);
  return sidebar;
}

/** Nothing of an earlier build stays. */
export function clearStage(): void {
  rmSync(whole, { recursive: true, force: true });
}

export function write(name: string, text: string, folder: string = staged): void {
  const file = path.join(folder, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text);
}

function stage({ file, place }: Page, places: ReadonlyMap<string, string>, problems: string[]): string {
  const text = readFileSync(path.join(root, file), 'utf8');
  const there = relink(text, file, place, withPictures(text, file, places), problems);
  write(place, `---\neditFile: ${file}\n---\n\n${there}`);
  return titleOf(text);
}

/** Pictures keep their places. */
function withPictures(
  text: string,
  file: string,
  places: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  const all = new Map(places);
  for (const picture of picturesOf(text, file)) {
    const target = picture.replace(/^docs\//u, '');
    all.set(picture, target);
    mkdirSync(path.dirname(path.join(staged, target)), { recursive: true });
    copyFileSync(path.join(root, picture), path.join(staged, target));
  }
  return all;
}

function linkOf(place: string): string {
  return `/${place.replace(/\.md$/u, '')}`;
}
