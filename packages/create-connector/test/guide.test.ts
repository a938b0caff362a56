/** The snippets of the guide are parts of the files that are generated. */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { fill, namesOf, readTemplate } from '../src/index.ts';

const guide = readFileSync(new URL('../../../docs/guides/write-a-connector.md', import.meta.url), 'utf8');

/** Each block, with the file that is named last before it. */
const snippets = [...guide.matchAll(/^```ts no-check\n([^]*?)^```$/gm)].map(({ index, 1: code = '' }) => ({
  code,
  file: [...guide.slice(0, index).matchAll(/`((?:src|test)\/[\w.-]+\.ts)`/g)].at(-1)?.[1] ?? '',
}));

/** Without what a line is indented by: a method of a class stands further left on a page. */
const flat = (text: string): string => text.replaceAll(/^ +/gm, '').trim();

describe('docs/guides/write-a-connector.md', () => {
  it('has snippets, all of them from files', () => {
    expect(snippets.length).toBeGreaterThan(5);
    expect(guide.match(/^```ts/gm)).toHaveLength(snippets.length);
  });

  it.each(snippets)('shows what stands in $file', async ({ code, file }) => {
    const text = (await readTemplate()).get(file);
    expect(flat(fill(text ?? '', namesOf('redis-streams')))).toContain(flat(code));
  });

  it('names every file of the template', async () => {
    const named = [...(await readTemplate()).keys()].filter(
      (file) => !guide.includes(`\`${file}\``) && !/^test\/\w+\.test\.ts$|^src\/index\.ts$/.test(file),
    );
    expect(named).toEqual([]);
  });
});
