/** A project in which one package was installed, and nothing else was there before. */

import fs from 'node:fs';
import path from 'node:path';
import { mustRun, type ProgramOptions } from './program.ts';

export interface Project {
  readonly folder: string;
  /** The packages in it, without those that were asked for. Sorted, each once. */
  readonly brought: readonly string[];
  /** Those that would run a program when they are installed. */
  readonly scripted: readonly string[];
  /** How many packages it holds, all versions of one counted. */
  readonly packages: number;
  /** Of all files in `node_modules`. */
  readonly bytes: number;
}

interface Lock {
  readonly packages: Readonly<
    Record<
      string,
      { readonly link?: boolean; readonly hasInstallScript?: boolean; readonly optional?: boolean }
    >
  >;
}

/** Installs `asked` (as `name@version`) with npm in the empty folder `folder`. */
export async function install(
  folder: string,
  asked: readonly string[],
  options: Omit<ProgramOptions, 'cwd'>,
): Promise<Project> {
  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(path.join(folder, 'package.json'), '{ "private": true, "type": "module" }\n');
  // Without scripts: one that wants to run is told below, and is not run here.
  await mustRun('npm', ['install', '--ignore-scripts', '--loglevel=error', ...asked], {
    ...options,
    cwd: folder,
  });
  const modules = path.join(folder, 'node_modules');
  const { packages } = JSON.parse(fs.readFileSync(path.join(modules, '.package-lock.json'), 'utf8')) as Lock;
  const names = Object.keys(packages).map(nameOf);
  const wanted = new Set(asked.map((each) => each.slice(0, each.lastIndexOf('@'))));
  return {
    folder,
    brought: [...new Set(names)].filter((name) => !wanted.has(name)).toSorted(),
    scripted: Object.keys(packages)
      .filter((place) => packages[place]?.hasInstallScript === true)
      .map(nameOf),
    packages: names.length,
    bytes: bytesIn(modules),
  };
}

/** `node_modules/a/node_modules/@b/c` is `@b/c`. */
function nameOf(place: string): string {
  return place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length);
}

export function bytesIn(folder: string): number {
  return fs
    .readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + fs.statSync(path.join(entry.parentPath, entry.name)).size, 0);
}
