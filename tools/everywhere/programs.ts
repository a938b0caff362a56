/** The programs of the platforms: fetched from npm by exact version, once, and asked what they are. */

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import type { ProcessPlatform } from './platforms.ts';

const cache = path.resolve(import.meta.dirname, '../../node_modules/.cache/everywhere');

/** @returns the path of the program */
export function fetchProgram(platform: ProcessPlatform): string {
  const folder = path.join(cache, `${platform.name}-${platform.version}`);
  const program = path.join(folder, 'node_modules', platform.package, platform.program);
  if (existsSync(program)) return program;
  mkdirSync(cache, { recursive: true });
  const fresh = `${folder}.${process.pid}`;
  mkdirSync(fresh);
  try {
    const wanted = `${platform.package}@${platform.version}`;
    const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock', '--loglevel=error'];
    execFileSync('npm', ['install', '--prefix', fresh, ...quiet, wanted], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    rmSync(folder, { recursive: true, force: true });
    renameSync(fresh, folder);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
  return program;
}
