/** The Chromium or Chrome of this machine. */

import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** @throws if there is none on the path */
export function findChromium(): string {
  const folders = (process.env['PATH'] ?? '').split(path.delimiter);
  const found = NAMES.flatMap((name) => folders.map((folder) => path.join(folder, name))).find((file) =>
    existsSync(file),
  );
  if (found === undefined)
    throw new Error(
      `There is no Chromium on the PATH (${NAMES.join(', ')}): on Debian, apt-get install chromium.`,
    );
  return found;
}

/** @returns as in `156.0.8078.114` */
export function chromiumVersion(): string {
  const told = execFileSync(findChromium(), ['--version'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const version = /\d+(\.\d+)+/.exec(told)?.[0];
  if (version === undefined) throw new Error(`Chromium tells no version: ${told}`);
  return version;
}
