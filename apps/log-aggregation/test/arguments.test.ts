import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { parseArguments } from '../src/arguments.ts';

const folder = mkdtempSync(join(tmpdir(), 'log-arguments-'));
const log = join(folder, 'app.log');
writeFileSync(log, '');

beforeEach(() => {
  vi.stubEnv('STREAMWELD_POSTGRES_URL', '');
  vi.stubEnv('INIT_CWD', folder);
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

describe('parseArguments', () => {
  it('gives each option a default', () => {
    expect(parseArguments([])).toEqual({
      command: 'run',
      folder: join(tmpdir(), 'streamweld-logs'),
      port: undefined,
      files: [],
      isFollowed: false,
      rounds: 4,
      isServed: false,
      query: undefined,
      slow: undefined,
      dropping: undefined,
      failing: undefined,
      postgres: undefined,
      progress: 'auto',
      inspect: false,
    });
  });

  it('takes what is given, paths from where it was typed', () => {
    const given = parseArguments(
      '--file app.log --follow --serve --slow search --drop alerts --fail metrics:3 --port 9464 --out here/out'.split(
        ' ',
      ),
    );
    expect(given).toMatchObject({
      files: [log],
      isFollowed: true,
      isServed: true,
      slow: 'search',
      dropping: 'alerts',
      failing: { sink: 'metrics', failures: 3 },
      port: 9464,
      folder: join(folder, 'here/out'),
    });
    expect(parseArguments(['--fail', 'search'])).toMatchObject({
      failing: { sink: 'search', failures: Number.POSITIVE_INFINITY },
    });
    expect(parseArguments(['query', 'two', 'words', '--port', '80'])).toMatchObject({
      command: 'query',
      text: 'two words',
      port: 80,
    });
  });

  it.each([
    [['--unknown'], /--unknown/],
    [['serve'], /expected no command, or query, got 'serve'/],
    [['run', 'more'], /expected nothing behind run/],
    [['query'], /query: expected words, of letters and digits, got ''/],
    [['query', 'x', '--serve'], /--serve: expected without query/],
    [['query', 'x', '--file', 'app.log'], /--file: expected without query/],
    [['--file', 'nowhere.log'], /--file: expected a file, got 'nowhere.log', which is none/],
    [['--file', 'app.log', '--out', '.'], /--file: expected a file outside of/],
    [['--follow'], /--follow: expected with --file/],
    [['--file', 'app.log', '--rounds', '2'], /--rounds: expected without --file/],
    [['--rounds', '0'], /--rounds: expected a whole number from 1 to 1000, got '0'/],
    [['--port', '65536'], /--port: expected a whole number from 0 to 65535/],
    [['--slow', 'all'], /--slow: expected one of files, metrics, alerts, search, got 'all'/],
    [['--drop', ''], /--drop: expected one of/],
    [['--fail', 'search:0'], /--fail: expected a whole number/],
    [['--fail', 'search:1:2'], /--fail: expected one of/],
    [['--query', '!?'], /--query: expected words, of letters and digits, got '!\?'/],
    [['query', '-'], /query: expected words/],
    [['--out', ''], /--out: expected something/],
    [['--postgres', 'mysql://me:secret@host/db'], /--postgres: expected a URL, postgres:(?!.*secret)/],
    [['--progress', 'loud'], /--progress: expected one of/],
  ])('refuses %j', (args, message) => {
    expect(() => parseArguments(args)).toThrow(message);
  });
});
