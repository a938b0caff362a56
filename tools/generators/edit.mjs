// @ts-check
// What generators do to files that are there: a line is put into a list, and nothing else of the file is touched.
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { logger } from '@nx/devkit';

/**
 * @param {import('@nx/devkit').Tree} tree
 * @param {string} file
 * @param {string} lines
 * @param {(text: string) => number | undefined} place where in the text
 * @throws Error that names the file, where there is no such place in it
 */
export function insert(tree, file, lines, place) {
  const text = tree.read(file, 'utf8') ?? '';
  const at = place(text);
  if (at === undefined)
    throw new Error(`${file} has no list, as it used to have, that this can be put into:\n${lines}`);
  tree.write(file, text.slice(0, at) + lines + text.slice(at));
}

/**
 * Behind the last line that matches.
 * @param {RegExp} line with the flag g
 * @returns {(text: string) => number | undefined}
 */
export const afterLast = (line) => (text) => {
  const last = [...text.matchAll(line)].at(-1);
  return last === undefined ? undefined : last.index + last[0].length;
};

/**
 * @param {RegExp} line
 * @returns {(text: string) => number | undefined}
 */
export const before = (line) => (text) => text.match(line)?.index;

/**
 * What is to be done when the files are written: names are of any length, so lines are broken anew.
 * @param {import('@nx/devkit').Tree} tree
 * @param {readonly string[]} paths
 * @param {readonly string[]} says what comes next
 */
export const formatLater = (tree, paths, says) => () => {
  const biome = join(
    dirname(createRequire(import.meta.url).resolve('@biomejs/biome/package.json')),
    'bin/biome',
  );
  execFileSync(process.execPath, [biome, 'format', '--write', ...paths], { cwd: tree.root, stdio: 'pipe' });
  for (const line of says) logger.info(line);
};
