/**
 * What must come out, from the files alone: read in one piece, line by line, and understood by other means than the pipeline's.
 */

import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { MOST_IN_WINDOW, RULES, type Sign } from './rules.ts';

/** A line, as far as the proof needs it. */
export interface Line extends Sign {
  readonly id: string;
  readonly service: string;
  readonly at: number;
  readonly raw: string;
  /** Each once, in small letters. */
  readonly words: ReadonlySet<string>;
}

export interface ReadLog {
  readonly name: string;
  readonly path: string;
  /** How many lines of it were taken. */
  readonly read: number;
}

const LEVEL_OF_NUMBER: Readonly<Record<number, Sign['level']>> = {
  10: 'trace',
  20: 'debug',
  30: 'info',
  40: 'warn',
  50: 'error',
  60: 'fatal',
};

/** Lines of a file. What is behind the last line end is a line too, if anything is. */
export function linesOf(path: string): string[] {
  const bytes = readFileSync(path);
  const text = new TextDecoder().decode(path.endsWith('.gz') ? gunzipSync(bytes) : bytes);
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines.map((line) => line.replace(/\r$/, ''));
}

export function expectedOf(logs: readonly ReadLog[]): Line[] {
  return logs.flatMap(({ name, path, read }) =>
    linesOf(path)
      .slice(0, read)
      .map((raw, at) => understand(raw, name, at + 1)),
  );
}

function understand(raw: string, log: string, line: number): Line {
  const own = folderName(log.includes('.') ? log.slice(0, log.lastIndexOf('.')) : log);
  const id = `${log}:${line}`;
  const fields = raw.match(/"(?:\\.|[^"\\])*"|\[[^\]]*\]|\S+/g) ?? [];
  if (isAccess(fields) && fields.join(' ') === raw) {
    const [, , , time = '', , status = ''] = fields;
    const level = status < '400' ? 'info' : status < '500' ? 'warn' : 'error';
    // As a date is understood everywhere: `01 Dec 2026 12:54:39 +0000`.
    const at = Date.parse(time.slice(1, -1).replaceAll('/', ' ').replace(':', ' ')) || 0;
    return { id, service: own, level, status: Number(status), at, raw, words: cut(raw) };
  }
  const said = objectIn(raw);
  if (said === undefined) return { id, service: own, level: 'unknown', at: 0, raw, words: cut(raw) };
  const { level, time, pid: _pid, hostname: _host, ...others } = said;
  const { name, service, status, ms } = others;
  const leaves: unknown[] = [];
  JSON.parse(JSON.stringify(others), (_key, value: unknown) => {
    if (typeof value === 'string' || typeof value === 'number') leaves.push(value);
    return value;
  });
  const at = typeof time === 'string' ? Date.parse(time) : Number(time ?? 0);
  return {
    id,
    service:
      [service, name].flatMap((each) => (each && typeof each === 'string' ? folderName(each) : []))[0] ?? own,
    level: levelNamed(level),
    at: at >= 0 && new Date(at).getUTCFullYear() <= 9999 ? at : 0,
    ...(Number.isFinite(status) ? { status: status as number } : {}),
    ...(Number.isFinite(ms) ? { ms: ms as number } : {}),
    raw,
    words: cut(leaves.join(' ')),
  };
}

/** Whether they are those of an access log: seven, or nine in the combined format. */
function isAccess(fields: readonly string[]): boolean {
  const [, , , time = '', asked = '', status = '', size = '', ...others] = fields;
  return (
    (others.length === 0 || (others.length === 2 && others.every((each) => each.startsWith('"')))) &&
    time.startsWith('[') &&
    asked.startsWith('"') &&
    /^\d{3}$/.test(status) &&
    /^(\d+|-)$/.test(size)
  );
}

function objectIn(raw: string): Record<string, unknown> | undefined {
  try {
    const value = JSON.parse(raw) as unknown;
    return raw.trim().startsWith('{') ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function levelNamed(level: unknown): Sign['level'] {
  if (typeof level === 'number') return LEVEL_OF_NUMBER[level - (level % 10)] ?? 'unknown';
  const name = String(level).toLowerCase();
  if (name === 'warning') return 'warn';
  if (name === 'critical') return 'fatal';
  return Object.values(LEVEL_OF_NUMBER).find((each) => each === name) ?? 'unknown';
}

function folderName(name: string): string {
  const parts = name.toLowerCase().split(/[^a-z0-9_.-]+/);
  return parts.join('_').replace(/^\.+/, '').slice(0, 64) || 'unnamed';
}

function cut(text: string): ReadonlySet<string> {
  const words = text.toLowerCase().split(/[^\p{L}\p{N}]+/u);
  return new Set(words.filter((word) => word.length > 0 && word.length <= 200));
}

/**
 * The alerts that must have been told: for each entry that counts, its window is looked up anew.
 * @param lines those that the alerts were given
 */
export function expectedAlerts(lines: readonly Line[]): string[] {
  const alerts: string[] = [];
  for (const rule of RULES) {
    const groups = new Map<string, Line[]>();
    for (const line of lines.filter(rule.counts)) {
      const key = `${line.id.slice(0, line.id.lastIndexOf(':'))} ${line.service}`;
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [line]);
      else group.push(line);
    }
    for (const group of groups.values()) {
      let latest = 0;
      const clock = group.map(({ at }) => (latest = Math.max(latest, at)));
      let wasRaised = false;
      group.forEach((line, index) => {
        const since = (clock[index] as number) - rule.windowMs;
        let first = index;
        while (first > 0 && (clock[first - 1] as number) > since) first -= 1;
        const window = group.slice(Math.max(first, index + 1 - MOST_IN_WINDOW), index + 1);
        const isRaised = rule.judge(window) !== undefined;
        if (isRaised && !wasRaised) alerts.push(`${rule.name}/${line.id}`);
        wasRaised = isRaised;
      });
    }
  }
  return alerts;
}
