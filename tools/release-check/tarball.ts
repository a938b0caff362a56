/** Looks at what was published: what is in the tarball, what its package.json says, publint and "are the types wrong". */

import fs from 'node:fs';
import path from 'node:path';
import { doorsOf, type Manifest, readManifest } from './manifest.ts';
import { mustRun, type ProgramOptions, runToEnd } from './program.ts';
import { bytesIn } from './project.ts';

export interface Tarball {
  readonly packed: number;
  readonly unpacked: number;
  readonly problems: readonly string[];
}

/**
 * @param published the package.json that the workspace has.
 * @param file a tarball. @param folder where it is unpacked; it is empty.
 */
export async function checkTarball(
  published: Manifest,
  file: string,
  folder: string,
  workspace: string,
  options: Omit<ProgramOptions, 'cwd'>,
): Promise<Tarball> {
  const there = { ...options, cwd: folder };
  fs.mkdirSync(folder, { recursive: true });
  await mustRun('tar', ['-xzf', file, '-C', folder], there);
  const root = path.join(folder, 'package');
  const problems = [...checkContents(root), ...checkPacked(published, root)];
  const bin = path.join(workspace, 'node_modules/.bin');
  for (const [program, args] of [
    ['publint', ['run', file, '--strict']],
    ['attw', [file, '--profile', 'esm-only', '--no-emoji', '--format', 'ascii']],
  ] as const) {
    const { code, output } = await runToEnd(path.join(bin, program), args, there);
    if (code !== 0) problems.push(`${program} says: ${output.trim()}`);
  }
  return { packed: fs.statSync(file).size, unpacked: bytesIn(root), problems };
}

/** What must be in a package that was unpacked in `root`, and what is the repository's alone. */
export function checkContents(root: string): string[] {
  const problems: string[] = [];
  const files = fs
    .readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)).split(path.sep).join('/'));
  for (const needed of ['README.md', 'LICENSE', 'dist/index.js.map', 'dist/index.d.ts.map', 'src/index.ts']) {
    // A package may have subpaths only: then no index is expected in it.
    if (needed.includes('index') && !files.includes('dist/index.js')) continue;
    if (!files.includes(needed)) problems.push(`the tarball lacks ${needed}`);
  }
  for (const file of files) {
    if (/\.tsbuildinfo$|^(test|bench|node_modules)\/|(^|\/)\.env/.test(file))
      problems.push(`the tarball holds ${file}, which is the repository's alone`);
  }
  return problems;
}

/** What of the package.json is the workspace's alone, and whether it has the doors that the workspace has. */
export function checkPacked(workspace: Manifest, root: string): string[] {
  const problems: string[] = [];
  const packed = readManifest(root);
  const text = JSON.stringify(packed);
  for (const leftover of ['@streamweld/source', 'workspace:', 'catalog:']) {
    if (text.includes(leftover)) problems.push(`the package.json that was published still says ${leftover}`);
  }
  const doors = doorsOf(packed);
  if (doors.join() !== doorsOf(workspace).join()) {
    problems.push(
      `exports and publishConfig.exports name different doors: ${doorsOf(workspace).join(' ')}, published ${doors.join(' ')}`,
    );
  }
  for (const [door, target] of Object.entries(packed.exports ?? {})) {
    for (const [condition, file] of Object.entries(target as Record<string, string>)) {
      if (!fs.existsSync(path.join(root, file)))
        problems.push(`${door} (${condition}) leads to ${file}, which is not in the tarball`);
    }
  }
  return problems;
}
