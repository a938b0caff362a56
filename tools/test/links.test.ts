import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { anchorsOf, findBrokenLinks, linksOf, listDocuments } from '../links.ts';

const root = path.resolve(import.meta.dirname, '../..');

describe('the documents', () => {
  const documents = listDocuments(root);

  it.each(documents)('%s has no link to what is not there', (document) => {
    const text = readFileSync(path.join(root, document), 'utf8');
    expect(findBrokenLinks(root, document, text)).toEqual([]);
  });

  it('name no error code that there is not', () => {
    const named = (text: string): string[] => text.match(/\bSW_[A-Z0-9]+_[A-Z0-9_]*[A-Z0-9]\b/g) ?? [];
    const known = new Set(
      [...readFileSync(path.join(root, 'docs/errors.md'), 'utf8').matchAll(/^## (SW_\w+)$/gm)].map(
        ([, code]) => code,
      ),
    );
    const problems = documents
      // What a new connector begins with has codes that are yet to be named.
      .filter((document) => !document.includes('/template/'))
      .flatMap((document) =>
        named(readFileSync(path.join(root, document), 'utf8'))
          .filter((code) => !known.has(code))
          .map((code) => `${document}: ${code}`),
      );
    expect(problems).toEqual([]);
    expect(known.size).toBeGreaterThan(100);
  });

  it('are found, with their links', () => {
    expect(documents).toEqual(
      expect.arrayContaining(['README.md', 'docs/delivery.md', 'packages/core/README.md']),
    );
    expect(linksOf(readFileSync(path.join(root, 'README.md'), 'utf8')).length).toBeGreaterThan(20);
  });
});

describe('findBrokenLinks', () => {
  let place = '';
  beforeAll(() => {
    place = mkdtempSync(path.join(tmpdir(), 'links-'));
    mkdirSync(path.join(place, 'docs'));
    mkdirSync(path.join(place, 'node_modules'));
    writeFileSync(path.join(place, 'node_modules/other.md'), '');
    writeFileSync(path.join(place, 'docs/page.md'), '# A page\n');
    writeFileSync(path.join(place, 'docs/picture.png'), '');
    mkdirSync(path.join(place, 'folder'));
    writeFileSync(path.join(place, 'folder/README.md'), '# Folder\n');
  });
  afterAll(() => rmSync(place, { recursive: true }));
  const broken = (text: string): string[] => findBrokenLinks(place, 'docs/page.md', `# Mine\n${text}`);

  it('leaves out what is installed', () => {
    expect(listDocuments(place)).toEqual(['docs/page.md', 'folder/README.md']);
  });

  it.each([
    ['[a](page.md)'],
    ['[a](page.md#a-page)'],
    ['[a](../docs "Title")'],
    ['![a picture](picture.png)'],
    ['[a](../folder#readme)'],
    ['[a]: page.md'],
    ['[a](https://example.com/none.md#none), [b](mailto:a@example.com)'],
    ['[a](https://github.com/streamweld/streamweld/blob/main/docs/page.md#a-page)'],
    ['`[a](none.md)` and ``[a](none.md)``'],
    ['```md\n[a](none.md)\n```'],
  ])('takes %s', (text) => {
    expect(broken(text)).toEqual([]);
  });

  it.each([
    ['[a](none.md)', 'docs/page.md:2: none.md: there is no such file'],
    ['[a](page.md#none)', 'docs/page.md:2: page.md#none: there is no such heading'],
    ['[a](#none)', 'docs/page.md:2: #none: there is no such heading'],
    ['[a](../../x.md)', 'docs/page.md:2: ../../x.md: it leads out of the repository'],
    ['[a](picture.png#x)', 'docs/page.md:2: picture.png#x: it has no headings'],
    ['![a picture](none.png)', 'docs/page.md:2: none.png: there is no such file'],
    ['[a]: none.md', 'docs/page.md:2: none.md: there is no such file'],
    ['```md\nx\n```\n[a](none.md)', 'docs/page.md:5: none.md: there is no such file'],
    [
      '[a](https://github.com/streamweld/streamweld/blob/main/none.md)',
      'docs/page.md:2: https://github.com/streamweld/streamweld/blob/main/none.md: there is no such file',
    ],
  ])('names %s', (text, problem) => {
    expect(broken(text)).toEqual([problem]);
  });
});

describe('anchorsOf', () => {
  it('calls headings as GitHub does', () => {
    const text =
      '# `new Flow(source)`: a Flow\n## What & why\n## What & why\n```sh\n# none\n```\n## [A link](x.md), übrig_1\n';
    expect([...anchorsOf(text)]).toEqual([
      'new-flowsource-a-flow',
      'what--why',
      'what--why-1',
      'a-link-übrig_1',
    ]);
  });
});
