/** Which imports of a connector a stranger could not have written. */

import { readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';

interface Manifest {
  readonly name: string;
  readonly exports?: Readonly<Record<string, unknown>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

const IMPORTS = /(?:\bfrom|\bimport|\bimport\(|\brequire\(|new URL\()\s*(['"])([^'"\n]+)\1/g;

/** The doors of every package in this folder: `@streamweld/core/connector`. */
export function publicDoors(packages: string): Set<string> {
  const doors = new Set<string>();
  for (const folder of readdirSync(packages)) {
    const { name, exports = {} } = readManifest(join(packages, folder));
    for (const door of Object.keys(exports)) doors.add(name + door.slice(1));
  }
  return doors;
}

/**
 * A line for each import that is neither a file of the folder, nor Node's, nor named in its `package.json`: for `src` among the
 * `dependencies`, elsewhere also among the `devDependencies`. Of StreamWeld's packages only the doors given.
 */
export function foreignImports(folder: string, doors: ReadonlySet<string>): string[] {
  const { dependencies = {}, devDependencies = {} } = readManifest(folder);
  const foreign: string[] = [];
  for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!/^(?:src|test|bench)\/.*\.[cm]?[jt]s$/.test(file)) continue;
    const named = file.startsWith('src/') ? dependencies : { ...dependencies, ...devDependencies };
    for (const [, , specifier = ''] of readFileSync(join(folder, file), 'utf8').matchAll(IMPORTS)) {
      if (!isOpen(specifier, join(folder, dirname(file)), folder, named, doors)) {
        foreign.push(`${file} imports ${specifier}`);
      }
    }
  }
  return foreign;
}

function isOpen(
  specifier: string,
  from: string,
  folder: string,
  named: Readonly<Record<string, string>>,
  doors: ReadonlySet<string>,
): boolean {
  if (specifier.startsWith('.')) return !relative(folder, resolve(from, specifier)).startsWith('..');
  if (isBuiltin(specifier)) return true;
  const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
  if (named[name] === undefined) return false;
  return !name.startsWith('@streamweld/') || doors.has(specifier);
}

function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
}
