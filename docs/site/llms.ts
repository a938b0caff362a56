/**
 * The pages for programs that read: `llms.txt` lists all of them, `llms-full.txt` holds all of them, and each is at its own
 * address with `.md` behind it.
 */

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { titleOf } from './sections.ts';
import { type Entry, served, staged, write } from './stage.ts';

/** @param groups of the sidebar, as they are shown */
export function writeForReaders(groups: readonly Entry[]): void {
  const list: string[] = [];
  const full: string[] = [];
  for (const group of groups) {
    list.push(`\n## ${group.text}\n`);
    for (const place of placesOf(group)) {
      const text = withoutMatter(readFileSync(path.join(staged, place), 'utf8'));
      write(place, text, served);
      list.push(`- [${titleOf(text)}](${place})`);
      full.push(`<!-- ${place} -->\n\n${text.trim()}\n`);
    }
  }
  const about =
    '# StreamWeld\n\n> Moves items from one place to many in TypeScript, concurrently, with backpressure, and loses none.';
  write('llms.txt', `${about}\n${list.join('\n')}\n`, served);
  write('llms-full.txt', `${about}\n\n${full.join('\n')}`, served);
}

function placesOf({ link, items = [] }: Entry): string[] {
  const own = link === undefined ? [] : [`${link.slice(1)}${link.endsWith('/') ? 'index' : ''}.md`];
  return [...new Set([...own, ...items.flatMap(placesOf)])];
}

function withoutMatter(text: string): string {
  return text.replace(/^---\n[\s\S]*?\n---\n+/u, '');
}
