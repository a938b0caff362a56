import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { FileSource } from '@streamweld/file';
import { describe, expect, test } from 'vitest';
import { failureOf, itemsOf, testFolder } from './driving.ts';

/** Files whose one line is their own name. */
function tree(names: readonly string[]): string {
  const folder = testFolder();
  for (const name of names) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), `${name}\n`);
  }
  return folder;
}

const NAMES = [
  'a.log',
  'b.log',
  'b.txt',
  '.hidden.log',
  'x/a.log',
  'x/y/a.log',
  'x/y/z/c.log',
  'x/.git/d.log',
  'Ä.log',
  'x y/e.log',
];

describe('FileSource with a glob', () => {
  test.each([
    ['*.log', ['a.log', 'b.log', 'Ä.log']],
    ['?.log', ['a.log', 'b.log', 'Ä.log']],
    ['[ab].log', ['a.log', 'b.log']],
    ['[!b].log', ['a.log', 'Ä.log']],
    ['b.{txt,log}', ['b.log', 'b.txt']],
    ['{b.txt,x/y/{a,q}.log}', ['b.txt', 'x/y/a.log']],
    ['**/a.log', ['a.log', 'x/a.log', 'x/y/a.log']],
    ['x/**', ['x/a.log', 'x/y/a.log', 'x/y/z/c.log']],
    ['x/*/*.log', ['x/y/a.log']],
    ['**/y/**/*.log', ['x/y/a.log', 'x/y/z/c.log']],
    ['.*.log', ['.hidden.log']],
    ['x*/e.log', ['x y/e.log']],
    ['x/.git/*', ['x/.git/d.log']],
    ['**/../b.txt', ['b.txt']],
  ])('%s', async (pattern, expected) => {
    const folder = tree(NAMES);
    const found = await itemsOf(new FileSource(`${folder}/${pattern}`));
    expect([...new Set(found)]).toEqual(expected);
  });

  test('is relative to the current folder', async () => {
    const before = process.cwd();
    process.chdir(tree(NAMES));
    try {
      expect(await itemsOf(new FileSource('./*.txt'))).toEqual(['b.txt']);
      expect(await itemsOf(new FileSource(['x/*.log', '*.txt']))).toEqual(['b.txt', 'x/a.log']);
    } finally {
      process.chdir(before);
    }
  });

  test.each([
    '[draft].txt',
    'a*b',
    '{x,y}.csv',
    'what?',
    '-rf',
    ' ',
    'a\nb',
    '(1).txt',
    '!no',
    'a\\b',
    '*',
    'ü'.normalize('NFD'),
    '__proto__',
  ])('an existing path is itself: %j', async (name) => {
    const folder = tree([name, 'decoy', 'd.txt', 'x.csv', 'aXb']);
    expect((await itemsOf(new FileSource(join(folder, name)))).join('\n')).toBe(name);
  });

  test('takes parentheses, exclamation marks and escapes in a pattern as they are', async () => {
    const folder = tree(['report (1).csv', 'report (2).csv', '!a.csv', 'report 1.csv', '[x]1.csv']);
    expect(await itemsOf(new FileSource(`${folder}/report (*).csv`))).toEqual([
      'report (1).csv',
      'report (2).csv',
    ]);
    expect(await itemsOf(new FileSource(`${folder}/!*.csv`))).toEqual(['!a.csv']);
    expect(await itemsOf(new FileSource(`${folder}/\\[x\\]*.csv`))).toEqual(['[x]1.csv']);
  });

  test('sorts by code unit, whatever the order on disk', async () => {
    const folder = tree(['10', '9', 'B', 'a', 'ä', 'Z/1', 'a/b'].map((name) => (name === 'a' ? 'a0' : name)));
    expect(await itemsOf(new FileSource(`${folder}/**`))).toEqual(['10', '9', 'B', 'Z/1', 'a/b', 'a0', 'ä']);
  });

  test('follows links to files, passes by dead ones, and ends where links to folders lead in a circle', async () => {
    const folder = tree(['real/a.log']);
    symlinkSync(join(folder, 'real/a.log'), join(folder, 'real/link.log'));
    symlinkSync(join(folder, 'nowhere'), join(folder, 'real/dead.log'));
    symlinkSync(folder, join(folder, 'real/circle'));
    expect(await itemsOf(new FileSource(`${folder}/**/*.log`))).toEqual(['real/a.log', 'real/a.log']);
  });

  test('says so where nothing matches', async () => {
    const folder = tree(['a.log']);
    const failure = await failureOf(itemsOf(new FileSource(`${folder}/*.csv`)));
    expect(failure.code).toBe('SW_FILE_NO_MATCH');
    expect(failure.message).toContain(`${folder}/*.csv`);
  });
});
