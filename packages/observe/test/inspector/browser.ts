/** A real Chromium, where there is one: a machine without it skips what needs it, and CI fails. */

import { existsSync } from 'node:fs';
import path from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

function findChromium(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(path.delimiter);
  return NAMES.flatMap((name) => folders.map((folder) => path.join(folder, name))).find((file) =>
    existsSync(file),
  );
}

const executablePath = findChromium();

/** Why tests in a browser are skipped; nothing, if they are not. */
export const whyNoBrowser: string | undefined =
  executablePath === undefined && process.env['CI'] === undefined
    ? `no Chromium on the PATH (${NAMES.join(', ')}): on Debian, apt-get install chromium`
    : undefined;

export async function launch(): Promise<Browser> {
  if (executablePath === undefined) throw new Error('There is no Chromium on the PATH.');
  // Its sandbox needs what containers and root do not give; it only opens pages of this repository.
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
}

/** Everything that the browser had to say about a page: its console, errors, and what the policy kept from it. */
export function complaintsOf(page: Page): string[] {
  const complaints: string[] = [];
  page.on('console', (message) => complaints.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => complaints.push(`error: ${error.message}`));
  return complaints;
}
