/** The file of damaged lines: what is in it. Nothing of StreamWeld reads it. */

import { readFile } from 'node:fs/promises';

export const DAMAGED_LINES = 'damaged.ndjson';

export interface Damaged {
  readonly file: string;
  readonly incarnation: number;
  readonly inode: number;
  readonly line: number;
  readonly text: string;
  readonly reason: string;
}

/** How each line begins. */
const BEGIN = '{"item":';

/** Each line once, by file and number: after a kill one may have been written again. */
export async function readDamaged(path: string): Promise<readonly Damaged[]> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  const found = new Map<string, Damaged>();
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const letter = lettersOf(line);
    if (letter === undefined) continue;
    const { item, error } = letter;
    found.set(`${item.incarnation} ${item.line} ${item.file}`, { ...item, reason: error.message });
  }
  return [...found.values()];
}

/** None in a line that a kill has torn: its log line has come again since. */
function lettersOf(line: string): { item: Omit<Damaged, 'reason'>; error: { message: string } } | undefined {
  try {
    return JSON.parse(line);
  } catch (error) {
    if (BEGIN.startsWith(line.slice(0, BEGIN.length))) return undefined;
    throw error;
  }
}
