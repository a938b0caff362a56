import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  checkAccount,
  checkAlerts,
  checkFiles,
  checkLogs,
  checkMetrics,
  checkQuery,
  checkSearch,
} from '../src/checks.ts';
import { expectedAlerts, expectedOf } from '../src/expected.ts';
import type { KeptEntry } from '../src/found.ts';
import { parseLine } from '../src/parse.ts';
import { Watch } from '../src/watch.ts';
import { wordsIn } from '../src/words.ts';

const folder = mkdtempSync(join(tmpdir(), 'log-checks-'));
afterAll(() => rmSync(folder, { recursive: true }));

const RAW = [
  '127.0.0.1 - - [01/Dec/2026:12:54:39 +0100] "GET /a\\"b HTTP/1.1" 503 - "-" "agent/1.0"',
  '127.0.0.1 - - [01/Dec/2026:12:54:40 +0100] "GET /c HTTP/1.1" 404 12',
  '127.0.0.1 - - [when] "GET /c HTTP/1.1" 200 12',
  '127.0.0.1 - - [01/Dec/2026:12:54:40 +0100] "GET /c HTTP/1.1" 404 12 and more',
  '{"level":50,"time":1764593679000,"name":"../Café","msg":"größer","deep":{"level":50,"a":[1.5,null,true]}}',
  '{"level":"Warning","time":"2026-12-01T12:00:00Z","service":"","name":"x"}',
  ' {"level":70,"time":-5,"status":1e999,"ms":"9"}',
  '{"level":30',
  '[1,"two"]',
  '',
  'plain words',
];

function written(lines: readonly string[], name = 'app.log') {
  const path = join(folder, name);
  writeFileSync(path, lines.map((line) => `${line}\n`).join(''));
  return expectedOf([{ name, path, read: lines.length }]);
}

describe('expectedOf', () => {
  it('understands the same as the pipeline, by other means', () => {
    const seen = RAW.map((raw, at) => parseLine('app.log', at + 1, raw)).map((entry) => ({
      id: entry.id,
      service: entry.service,
      level: entry.level,
      at: entry.at ?? 0,
      raw: entry.raw,
      words: [...new Set(wordsIn(entry.text))].sort(),
      status: entry.status,
      ms: entry.ms,
    }));
    const lines = written(RAW).map(({ words, ...line }) => ({
      status: undefined,
      ms: undefined,
      ...line,
      words: [...words].sort(),
    }));
    expect(lines).toEqual(seen);
  });

  it('takes no more lines than were read, of a file with whatever ends its lines', () => {
    const path = join(folder, 'ends.log');
    writeFileSync(path, '\uFEFFone\r\ntwo\n\nfour');
    const raws = (read: number) => expectedOf([{ name: 'ends.log', path, read }]).map(({ raw }) => raw);
    expect(raws(9)).toEqual(['one', 'two', '', 'four']);
    expect(raws(2)).toEqual(['one', 'two']);
  });
});

describe('expectedAlerts', () => {
  it('asks for what a watch tells, also where times go back', () => {
    // As a generator of numbers that always gives the same.
    let state = 7;
    const chance = () => (state = (state * 16807) % 2147483647) / 2147483647;
    let time = 1e12;
    const raws = Array.from({ length: 3000 }, () => {
      time += chance() < 0.02 ? 60_000 : Math.floor(chance() * 700) - 200;
      const level = chance() < 0.5 ? 50 : 30;
      return JSON.stringify({ level, time, ms: chance() * 400, status: chance() < 0.1 ? 404 : 200 });
    });
    const watch = new Watch();
    const told = raws.flatMap((raw, at) => watch.see(parseLine('app.log', at + 1, raw))).map(({ id }) => id);
    expect(told.length).toBeGreaterThan(50);
    expect(new Set(told.map((id) => id.slice(0, id.indexOf('/'))))).toEqual(
      new Set(['errors', 'missing', 'slow']),
    );
    expect(expectedAlerts(written(raws)).sort()).toEqual(told.sort());
  });
});

describe('a check', () => {
  const lines = written(RAW);
  const kept = lines.map(
    ({ id, raw, service, level }, at): KeptEntry => ({
      id,
      raw,
      service,
      level,
      log: 'app.log',
      line: at + 1,
    }),
  );

  it('of the files sees what is missing, twice, changed or out of order', () => {
    const check = (entries: readonly KeptEntry[]) =>
      checkFiles(new Map([['app/info', entries]]), lines).map(({ holds }) => holds);
    expect(check(kept)).toEqual([true, true]);
    expect(check(kept.slice(1))).toEqual([false, true]);
    expect(check([...kept, kept[0] as KeptEntry])).toEqual([false, false]);
    expect(check(kept.map((each, at) => (at === 3 ? { ...each, raw: 'x' } : each)))).toEqual([false, true]);
    expect(check(kept.map((each, at) => (at === 3 ? { ...each, level: 'info' } : each)))).toEqual([
      false,
      true,
    ]);
    expect(check(kept.toReversed())).toEqual([true, false]);
  });

  it('of the counters sees one that is missing, wrong or too many', () => {
    const right = new Map<string, number>();
    for (const { service, level } of lines)
      right.set(`${service} ${level}`, (right.get(`${service} ${level}`) ?? 0) + 1);
    expect(checkMetrics(right, lines).holds).toBe(true);
    const [[key, count] = ['', 0]] = right;
    expect(checkMetrics(new Map([...right, [key, count + 1]]), lines).holds).toBe(false);
    expect(checkMetrics(new Map([...right, ['other info', 1]]), lines).holds).toBe(false);
    expect(checkMetrics(new Map([...right].slice(1)), lines).holds).toBe(false);
  });

  it('of the alerts sees one that is missing, strange or told twice', () => {
    const right = expectedAlerts(lines);
    expect(right).toContain('odd/app.log:4');
    expect(checkAlerts(right, lines).holds).toBe(true);
    expect(checkAlerts(right.slice(1), lines).holds).toBe(false);
    expect(checkAlerts([...right, 'odd/app.log:1'], lines).holds).toBe(false);
    expect(checkAlerts([...right, ...right.slice(0, 1)], lines).holds).toBe(false);
  });

  it('of the search sees an entry that is not found, or found without the word', async () => {
    const ids = (word: string) => lines.filter(({ words }) => words.has(word)).map(({ id }) => id);
    const check = async (find: (word: string) => string[]) =>
      (await checkSearch(['größer', 'get', 'nowhere'], (word) => Promise.resolve(find(word)), lines)).holds;
    expect(ids('größer')).toHaveLength(1);
    expect(await check(ids)).toBe(true);
    expect(await check((word) => ids(word).slice(1))).toBe(false);
    expect(await check((word) => [...ids(word), 'app.log:11'])).toBe(false);
    expect(checkQuery('GET 404', 2, lines).holds).toBe(true);
    expect(checkQuery('GET 404', 3, lines).holds).toBe(false);
    expect(checkQuery('nowhere', 0, lines).holds).toBe(true);
    expect(checkQuery('nowhere', undefined, lines).holds).toBe(false);
  });

  it('of the logs sees a line that was not read, or is not there', () => {
    expect(checkLogs(11, 11, 11).holds).toBe(true);
    expect(checkLogs(12, 11, 11).holds).toBe(false);
    expect(checkLogs(undefined, 0, 0).holds).toBe(true);
    expect(checkLogs(undefined, 11, 10).holds).toBe(false);
  });

  it('of an account sees what is in neither, and that a sink was given up', () => {
    const account = { sink: 'search', delivered: 8, dropped: [], missed: [], isGivenUp: false } as const;
    expect(checkAccount({ ...account, delivered: 11 }, 11).holds).toBe(true);
    expect(checkAccount({ ...account, dropped: ['a', 'b', 'c'] }, 11).holds).toBe(true);
    expect(checkAccount(account, 11)).toMatchObject({
      holds: false,
      text: '8 of 11 entries taken, 3 in neither',
    });
    expect(checkAccount({ ...account, missed: ['a', 'b', 'c'] }, 11).holds).toBe(false);
    expect(checkAccount({ ...account, missed: ['a', 'b'], isGivenUp: true }, 11)).toMatchObject({
      holds: false,
      text: '8 of 11 entries taken, 2 set aside, 1 came after it was given up; the files have them',
    });
  });
});
