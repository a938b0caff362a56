/** The generators of Nx in a copy of the repository: what they make is green before a line is written. */

import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');
const LEFT_OUT = new Set(['node_modules', 'dist', '.git', '.nx', '.blocks']);
const CONNECTOR = 'packages/redis-streams';
const APP = 'apps/word-count';

let copy: string;

function run(
  command: string,
  ...args: readonly string[]
): { readonly status: number | null; readonly output: string } {
  // As in a shell of its own: what a runner of tests tells its children is not meant for these.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(VITEST|NODE_OPTIONS|npm_|INIT_CWD)/.test(name)),
  );
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd: copy,
    encoding: 'utf8',
    env: { ...env, CI: 'true', NX_DAEMON: 'false', NX_NO_CLOUD: 'true', NX_TUI: 'false', NO_COLOR: '1' },
  });
  return { status, output: `${stdout}${stderr}` };
}

function succeed(command: string, ...args: readonly string[]): string {
  const { status, output } = run(command, ...args);
  expect(status, `${command} ${args.join(' ')}\n${output}`).toBe(0);
  return output;
}

const pnpm = (...args: readonly string[]): string => succeed('npx', '--yes', 'pnpm@12', ...args);
const bin = (name: string, ...args: readonly string[]): string =>
  succeed(join(copy, 'node_modules/.bin', name), ...args);
const read = (file: string): string => readFileSync(join(copy, file), 'utf8');

beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), 'generators-'));
  cpSync(root, copy, { recursive: true, filter: (path) => !LEFT_OUT.has(basename(path)) });
  // All of it is in the store: it was installed here.
  pnpm('install', '--frozen-lockfile', '--prefer-offline');
  bin('nx', 'generate', '@streamweld/tools:connector', 'redis-streams');
  bin('nx', 'generate', '@streamweld/tools:app', 'word-count');
  pnpm('install', '--no-frozen-lockfile', '--prefer-offline');
}, 300_000);
afterAll(() => rmSync(copy, { recursive: true, force: true }));

describe('the generators', { timeout: 300_000 }, () => {
  it('make what the compiler, the linter, the formatter and knip have nothing to say of', () => {
    bin('tsc', '-b', `${CONNECTOR}/tsconfig.test.json`, APP);
    bin('oxlint', CONNECTOR, APP);
    bin('biome', 'format', CONNECTOR, APP, 'tsconfig.json', 'tools/tsconfig.json', 'tools/test');
    bin('knip');
  });

  it('make tests that pass', () => {
    const output = bin('vitest', 'run', '--project', 'redis-streams', '--project', 'word-count');
    expect(output).toMatch(/\d{3} passed, 0 failed, 0 skipped/);
  });

  it('list it wherever packages and apps are listed', () => {
    const manifest = JSON.parse(read(`${CONNECTOR}/package.json`)) as Record<string, unknown>;
    expect(manifest).toMatchObject({
      name: '@streamweld/redis-streams',
      dependencies: { '@streamweld/core': 'workspace:^' },
    });
    expect(JSON.stringify(manifest)).not.toMatch(/packages\/file|picomatch/);
    expect(read('tsconfig.json')).toMatch(
      /"packages\/redis-streams\/tsconfig\.test\.json"[^]*"apps\/word-count"/,
    );
    expect(read('README.md')).toMatch(/\(packages\/redis-streams\)[^]*\(apps\/word-count\)/);
    expect(read('.changeset/redis-streams-first.md')).toContain("'@streamweld/redis-streams': minor");
    expect(read('docs/errors.md')).toContain('## SW_REDIS_STREAMS_DENIED');
    expect(read('tools/test/errors-page.test.ts')).toContain('Object.keys(REDIS_STREAMS_ERROR_CODES)');
  });

  it('refuse a name that is taken, and change nothing', () => {
    const before = read('README.md');
    const nx = join(copy, 'node_modules/.bin/nx');
    const { status, output } = run(nx, 'generate', '@streamweld/tools:connector', 'kafka');
    expect([status, output]).toEqual([
      1,
      expect.stringContaining('There is a package packages/kafka already'),
    ]);
    expect(read('README.md')).toBe(before);
  });
});
