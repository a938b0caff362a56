/** A release, made in a copy of what is published: versions raised by the pending notes, then published. */

import fs from 'node:fs';
import path from 'node:path';
import { type Manifest, publicPackages } from './manifest.ts';
import { mustRun, type ProgramOptions } from './program.ts';

export interface Published {
  readonly name: string;
  readonly version: string;
  /** Of the copy. */
  readonly folder: string;
  readonly manifest: Manifest;
}

/** Of each package, and not of what it holds deeper down: a template may have tests. */
const LEFT_OUT = new Set(['node_modules', 'test', 'bench']);

/** Copies what a release reads. The workspace itself is not touched: not its versions, its notes, nor its changelogs. */
export function copyWorkspace(workspace: string, folder: string): void {
  for (const name of ['package.json', 'pnpm-workspace.yaml', 'pnpm-lock.yaml', 'LICENSE', '.changeset']) {
    fs.cpSync(path.join(workspace, name), path.join(folder, name), { recursive: true });
  }
  for (const { folder: from } of publicPackages(workspace)) {
    fs.cpSync(from, path.join(folder, path.relative(workspace, from)), {
      recursive: true,
      filter: (source) => path.dirname(source) !== from || !LEFT_OUT.has(path.basename(source)),
    });
  }
  // The changelog is written by a module of the tool's, which is looked for beside the notes.
  fs.mkdirSync(path.join(folder, 'node_modules'));
  fs.symlinkSync(
    path.join(workspace, 'node_modules/@changesets'),
    path.join(folder, 'node_modules/@changesets'),
  );
}

/** `changeset version`, then `changeset publish`, as the release workflow calls them; tags are left out. */
export async function release(
  workspace: string,
  folder: string,
  options: Omit<ProgramOptions, 'cwd'>,
): Promise<Published[]> {
  const changeset = path.join(workspace, 'node_modules/.bin/changeset');
  const there = { ...options, cwd: folder };
  await mustRun(changeset, ['version'], there);
  const said = await mustRun(changeset, ['publish', '--no-git-tag'], there);
  const published = publicPackages(folder).map(({ folder: place, manifest }) => ({
    name: manifest.name,
    version: manifest.version,
    folder: place,
    manifest,
  }));
  if (published.length === 0) throw new Error(`Nothing was published:\n${said}`);
  return published;
}
