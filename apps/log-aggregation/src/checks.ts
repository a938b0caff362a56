/** What must hold at the end, put to the test: plain functions of what was expected and what was found. */

import { type Line, expectedAlerts } from './expected.ts';
import type { KeptEntry } from './found.ts';
import { whole } from '@streamweld/app-kit/numbers';
import type { SinkName } from './sinks.ts';

/** One thing that must hold, and whether it does. */
export interface Check {
  readonly holds: boolean;
  /** The sink that it is about. */
  readonly of: string;
  readonly text: string;
}

/** What a sink took, and what became of the rest, by the ids of the entries. */
export interface Account {
  readonly sink: SinkName;
  /** Entries that it accepted. */
  readonly delivered: number;
  /** What it was not fast enough for, as was agreed to. */
  readonly dropped: readonly string[];
  /** What it refused, or what waited for it when it was given up. */
  readonly missed: readonly string[];
  /** It was given up. */
  readonly isGivenUp: boolean;
}

/**
 * @param written lines in the files now; nothing, where it was stopped before their end.
 * @param read lines that were taken. @param found those of them that are in the files
 */
export function checkLogs(written: number | undefined, read: number, found: number): Check {
  const of = 'logs';
  return written === undefined
    ? { of, holds: found === read, text: `${whole(read)} lines were taken until it was stopped` }
    : { of, holds: written === read, text: `${whole(read)} of ${whole(written)} lines were read` };
}

/** Nothing is lost in silence: what a sink did not take is named. */
export function checkAccount({ sink, delivered, dropped, missed, isGivenUp }: Account, lines: number): Check {
  const rest = lines - delivered - dropped.length - missed.length;
  const parts = [
    `${whole(delivered)} of ${whole(lines)} entries taken`,
    ...(dropped.length > 0 ? [`${whole(dropped.length)} dropped, as agreed`] : []),
    ...(missed.length > 0 ? [`${whole(missed.length)} set aside`] : []),
    isGivenUp
      ? `${whole(rest)} came after it was given up; the files have them`
      : `${whole(rest)} in neither`,
  ];
  return { of: sink, holds: rest === 0 && missed.length === 0 && !isGivenUp, text: parts.join(', ') };
}

/** @param lines that the files were given */
export function checkFiles(
  files: ReadonlyMap<string, readonly KeptEntry[]>,
  lines: readonly Line[],
): Check[] {
  const expected = new Map(lines.map((line) => [line.id, line]));
  const kept = [...files.values()].flat();
  const right = kept.filter(({ id, raw, service, level }) => {
    const line = expected.get(id);
    return line?.raw === raw && line.service === service && line.level === level;
  });
  const once = new Set(right.map(({ id }) => id)).size;
  const ordered = [...files.values()].filter(isInOrder).length;
  return [
    {
      of: 'files',
      holds: once === expected.size && kept.length === expected.size,
      text: `${whole(once)} of ${whole(expected.size)} lines stand once, as they were, with their service and level; ${whole(kept.length - once)} twice or wrong`,
    },
    {
      of: 'files',
      holds: ordered === files.size,
      text: `order is kept in ${ordered} of ${files.size} files`,
    },
  ];
}

/** Lines of one log come one after the other; between logs there is no order. */
function isInOrder(entries: readonly KeptEntry[]): boolean {
  const last = new Map<string, number>();
  return entries.every(({ log, line }) => {
    const isLater = line > (last.get(log) ?? 0);
    last.set(log, line);
    return isLater;
  });
}

/** @param lines that metrics were given. @param counts as `/metrics` answers */
export function checkMetrics(counts: ReadonlyMap<string, number>, lines: readonly Line[]): Check {
  const expected = new Map<string, number>();
  for (const { service, level } of lines) {
    const key = `${service} ${level}`;
    expected.set(key, (expected.get(key) ?? 0) + 1);
  }
  const equal = [...expected].filter(([key, count]) => counts.get(key) === count).length;
  return {
    of: 'metrics',
    holds: equal === expected.size && counts.size === expected.size,
    text: `${equal} of ${expected.size} counters equal a count of the lines by service and level, ${counts.size - equal} do not`,
  };
}

/** @param told the alerts that mails came about. @param lines that the alerts were given */
export function checkAlerts(told: readonly string[], lines: readonly Line[]): Check {
  const expected = new Set(expectedAlerts(lines));
  const right = new Set(told.filter((id) => expected.has(id))).size;
  return {
    of: 'alerts',
    holds: right === expected.size && told.length === expected.size,
    text: `${right} of ${expected.size} that the rules ask for came as one mail each, ${told.length - right} others`,
  };
}

/** Words to look for: all, or as many, evenly from all. */
export function someWords(lines: readonly Line[], most: number): string[] {
  const all = [...new Set(lines.flatMap(({ words }) => [...words]))].sort();
  const step = Math.max(1, all.length / most);
  return Array.from(
    { length: Math.min(all.length, most) },
    (_, index) => all[Math.floor(index * step)] as string,
  );
}

/**
 * @param words that were looked for.
 * @param find the ids of the entries that hold a word
 * @param lines that the index was given
 */
export async function checkSearch(
  words: readonly string[],
  find: (word: string) => Promise<readonly string[]>,
  lines: readonly Line[],
): Promise<Check> {
  const expected = new Map<string, Set<string>>(words.map((word) => [word, new Set()]));
  for (const line of lines) for (const word of line.words) expected.get(word)?.add(line.id);
  let right = 0;
  let entries = 0;
  for (const [word, ids] of expected) {
    const found = await find(word);
    entries += found.length;
    if (found.length === ids.size && found.every((id) => ids.has(id))) right += 1;
  }
  return {
    of: 'search',
    holds: right === words.length,
    text: `${whole(right)} of ${whole(words.length)} words are found in exactly the entries that hold them, ${whole(entries)} hits`,
  };
}

/**
 * @param text what the door was asked for. @param total how many entries it has answered
 * @param lines that the index was given
 */
export function checkQuery(text: string, total: number | undefined, lines: readonly Line[]): Check {
  const words = text
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter(Boolean);
  const expected = lines.filter((line) => words.every((word) => line.words.has(word))).length;
  return {
    of: 'door',
    holds: total === expected,
    text: `/search?q=${text} answers ${total ?? 'no'} entries, of ${whole(expected)} lines with ${words.length === 1 ? 'that word' : 'those words'}`,
  };
}
