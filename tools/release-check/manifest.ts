/** The package.json of what is published. */

import fs from 'node:fs';
import path from 'node:path';

export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly description?: string;
  readonly keywords?: readonly string[];
  readonly license?: string;
  readonly homepage?: string;
  readonly bugs?: string;
  readonly repository?: { readonly type?: string; readonly url?: string; readonly directory?: string };
  readonly type?: string;
  readonly sideEffects?: boolean;
  readonly engines?: Readonly<Record<string, string>>;
  readonly files?: readonly string[];
  readonly dependencies?: Readonly<Record<string, string>>;
  /** One of commands alone has no doors. */
  readonly exports?: Readonly<Record<string, unknown>>;
  readonly bin?: string | Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly publishConfig?: {
    readonly access?: string;
    readonly exports?: Readonly<Record<string, unknown>>;
  };
}

export interface Package {
  readonly folder: string;
  readonly manifest: Manifest;
}

/** `.`, `./connector`. */
export function doorsOf({ exports = {} }: Manifest): string[] {
  return Object.keys(exports);
}

/** Of `packages/`, those that are not private. */
export function publicPackages(workspace: string): Package[] {
  const packages = path.join(workspace, 'packages');
  return fs
    .readdirSync(packages)
    .map((name) => path.join(packages, name))
    .filter((folder) => fs.existsSync(path.join(folder, 'package.json')))
    .map((folder) => ({ folder, manifest: readManifest(folder) }))
    .filter(({ manifest }) => manifest.private !== true);
}

export function readManifest(folder: string): Manifest {
  return JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8')) as Manifest;
}

const REPOSITORY = 'https://github.com/streamweld/streamweld';

/**
 * What npm and its users need to find in a package.json, and what the house wants of it. npm refuses a provenance whose
 * repository is not the one that the workflow runs in.
 * @param directory of the package in the repository. @returns what is wrong, a line each.
 */
export function checkManifest(manifest: Manifest, directory: string): string[] {
  const expected = {
    license: 'Apache-2.0',
    homepage: `${REPOSITORY}/tree/main/${directory}#readme`,
    bugs: `${REPOSITORY}/issues`,
    repository: { type: 'git', url: `git+${REPOSITORY}.git`, directory },
    type: 'module',
    sideEffects: false,
    engines: { node: '>=20' },
  } as const;
  const problems = Object.entries(expected)
    .map(([field, value]) => [
      field,
      JSON.stringify(value),
      JSON.stringify(manifest[field as keyof Manifest]),
    ])
    .filter(([, value, given]) => value !== given)
    .map(([field, value, given]) => `${field} is ${given}, expected ${value}`);
  if (manifest.publishConfig?.access !== 'public') {
    problems.push('publishConfig.access is not public: npm would keep the package to its owners');
  }
  if (manifest.description === undefined || manifest.description === '')
    problems.push('description is missing');
  if ((manifest.keywords ?? []).length < 3) problems.push('keywords has fewer than three');
  for (const needed of ['dist', 'src', '!dist/*.tsbuildinfo']) {
    if (manifest.files?.includes(needed) !== true) problems.push(`files lacks ${needed}`);
  }
  for (const [name, range] of Object.entries(manifest.peerDependencies ?? {})) {
    if (name.startsWith('@streamweld/')) {
      problems.push(
        `${name} (${range}) is a peer: a minor version of it would be a major one of this package`,
      );
    }
  }
  for (const [name, range] of Object.entries(manifest.dependencies ?? {})) {
    if (name.startsWith('@streamweld/') && range !== 'workspace:^') {
      problems.push(`${name} is depended on as ${range}, expected workspace:^`);
    }
  }
  return problems;
}
