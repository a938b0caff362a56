/**
 * Releases everything to a registry of its own on loopback, installs each package alone, and looks at what came: run it after
 * a build, as `pnpm release:check` does. Nothing of it outlives this process but what `npm` and `pnpm` keep in their caches.
 */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { check } from './check.ts';

const workspace = path.join(import.meta.dirname, '../..');
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'streamweld-release-'));
const stop = new AbortController();
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const) {
  process.once(signal, () => {
    process.exitCode = code;
    stop.abort(new Error(`told to end by ${signal}`));
  });
}
process.once('exit', () => fs.rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));

try {
  const problems = await check(workspace, folder, { env: process.env, signal: stop.signal }, console.log);
  for (const problem of problems) console.error(`\n${problem}`);
  console.log(problems.length === 0 ? '\nready to be released' : `\n${problems.length} problems: not ready`);
  if (problems.length > 0) process.exitCode = 1;
} catch (error) {
  console.error(`release:check: ${(error as Error).message}`);
  process.exitCode ??= 1;
}
// What a registry may still hold open is no reason to wait.
process.exit();
