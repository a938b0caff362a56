/** The files that a connector begins with: real ones, type-checked and tested as they are, with a name to be replaced. */

import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Names } from './names.ts';

/** Beside `src` and `dist`, so the same from both. */
const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** What only a project of its own has, beside the template: it is built and tested without the repository. */
const ALONE = 'alone';

/** @returns each file by its path, with `/` between folders, as it is in the template. */
export async function readTemplate(folder: 'template' | 'alone' = 'template'): Promise<Map<string, string>> {
  const root = path.join(ROOT, folder);
  const files = new Map<string, string>();
  for (const entry of await readdir(root, { recursive: true })) {
    const file = path.join(root, entry);
    if (!(await stat(file)).isFile()) continue;
    // Under its own name npm leaves the one out of a package, and other tools take the other for a part of this one.
    const name = entry
      .split(path.sep)
      .join('/')
      .replace(/^gitignore$/, '.gitignore')
      .replace(/^manifest\.json$/, 'package.json');
    files.set(name, await readFile(file, 'utf8'));
  }
  return new Map([...files].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The text with the names in the place of the placeholders. */
export function fill(text: string, names: Names): string {
  return text
    .replaceAll('@streamweld/template-name', names.packageName)
    .replaceAll('SW_TEMPLATE_NAME', names.codePrefix)
    .replaceAll('TEMPLATE_NAME', names.constantName)
    .replaceAll('TemplateName', names.className)
    .replaceAll('template-name', names.name);
}

interface Manifest {
  readonly version: string;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

/**
 * All files of a project of its own. Versions are those that this package was itself built and tested with: they stand in
 * its own package.json, where a release writes them.
 */
export async function readStandAlone(names: Names): Promise<Map<string, string>> {
  const own = JSON.parse(await readFile(path.join(ROOT, 'package.json'), 'utf8')) as Manifest;
  const files = new Map<string, string>();
  for (const [file, text] of [...(await readTemplate()), ...(await readTemplate(ALONE))]) {
    files.set(file, file === 'package.json' ? withVersions(fill(text, names), own) : fill(text, names));
  }
  return files;
}

function withVersions(text: string, { version, devDependencies = {} }: Manifest): string {
  const manifest = JSON.parse(text) as Record<string, Record<string, string>>;
  for (const group of ['dependencies', 'devDependencies']) {
    for (const name of Object.keys(manifest[group] ?? {})) {
      const given = devDependencies[name] ?? '';
      // In the workspace no release has written it yet.
      (manifest[group] as Record<string, string>)[name] = given.startsWith('workspace:')
        ? `^${version}`
        : given;
    }
  }
  return `${JSON.stringify(manifest, undefined, 2)}\n`;
}
