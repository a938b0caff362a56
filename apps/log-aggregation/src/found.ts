/** What is there at the end, read back by other means than it was written by. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import PostalMime from 'postal-mime';
import { alertOf } from './alerts.ts';
import type { Entry } from './entry.ts';
import type { KeptMail } from './mail-server.ts';

export interface KeptEntry extends Pick<Entry, 'id' | 'log' | 'line' | 'raw'> {
  /** Of the folder and the name of the file that it is in. */
  readonly service: string;
  readonly level: string;
}

/** Entries by their file, in the order in which they stand there; the parts of a file one after the other. */
export function findFiles(folder: string): ReadonlyMap<string, readonly KeptEntry[]> {
  const files = new Map<string, KeptEntry[]>();
  const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
  for (const path of paths) {
    const [, service, level] = /^([^/\\]+)[/\\]([a-z]+)-\d+\.ndjson$/.exec(path) ?? [];
    if (service === undefined || level === undefined) continue;
    const key = `${service}/${level}`;
    const entries = linesIn(join(folder, path)).map((line) => ({
      ...(JSON.parse(line) as Entry),
      service,
      level,
    }));
    files.set(key, (files.get(key) ?? []).concat(entries));
  }
  return files;
}

/** The alerts that mails have come about, one for each mail. */
export async function findAlerts(mailbox: string): Promise<string[]> {
  const mails = linesIn(mailbox).map((line) => JSON.parse(line) as KeptMail);
  const parsed = await Promise.all(mails.map(({ raw }) => PostalMime.parse(Buffer.from(raw, 'latin1'))));
  return parsed.map(({ messageId = '' }) => alertOf(messageId));
}

/** `site info` → how many, as `/metrics` tells it. */
export function findCounts(exposition: string): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const line of exposition.split('\n')) {
    const [, service, level, count] =
      /^logs_entries_total\{service="([^"]*)",level="([^"]*)"\} (\d+)$/.exec(line) ?? [];
    if (count !== undefined) counts.set(`${service} ${level}`, Number(count));
  }
  return counts;
}

/** Entries that were set aside: as dead letters, or as they were. None, where the file is not there. */
export function findSetAside(path: string): string[] {
  return linesIn(path).map((line) => {
    const said = JSON.parse(line) as { id?: string; item?: { id: string } };
    return said.item?.id ?? said.id ?? '';
  });
}

function linesIn(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n').filter(Boolean);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
