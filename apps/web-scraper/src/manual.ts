/** npm's own manual: the HTML pages in the package `npm`, which this app depends on so that they are always the same ones. */

import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const MANUAL_FOLDER: string = fileURLToPath(
  new URL('./docs/output/', import.meta.resolve('npm/package.json')),
);

/** Paths from the folder, with slashes, in order: `commands/npm-access.html`. */
export function manualPages(): readonly string[] {
  return readdirSync(MANUAL_FOLDER, { recursive: true, encoding: 'utf8' })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => path.endsWith('.html'))
    .sort();
}
