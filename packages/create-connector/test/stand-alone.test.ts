/**
 * A project of its own, as `npm create` begins it: built, type-checked and tested by its own scripts, on the builds of core
 * and testing, as its users have them. And then broken, one rule after another.
 */

import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BROKEN, type BrokenRule } from './broken-rules.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
let place: string;
let project: string;

/** As in a shell of its own: what a runner of tests tells its children is not meant for these. */
function run(
  cwd: string,
  file: string,
  ...args: readonly string[]
): { readonly status: number | null; readonly output: string } {
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(VITEST|NODE_OPTIONS)/.test(name)),
  );
  const { status, stdout, stderr } = spawnSync(process.execPath, [file, ...args], {
    cwd,
    encoding: 'utf8',
    env: { ...env, NO_COLOR: '1' },
  });
  return { status, output: `${stdout}${stderr}` };
}

function succeed(cwd: string, file: string, ...args: readonly string[]): string {
  const { status, output } = run(cwd, file, ...args);
  expect(status, `${file} ${args.join(' ')}\n${output}`).toBe(0);
  return output;
}

const tsc = join(root, 'node_modules/typescript/bin/tsc');
const vitest = join(root, 'node_modules/vitest/vitest.mjs');

beforeAll(() => {
  // What users have is the build. `pnpm test` has made it, and then this does nothing.
  succeed(root, tsc, '-b', 'packages/testing', 'packages/create-connector');
  place = mkdtempSync(join(tmpdir(), 'stand-alone-'));
  succeed(place, join(root, 'packages/create-connector/dist/main.js'), 'redis-streams');
  project = join(place, 'streamweld-redis-streams');
  for (const [name, target] of [
    ['@streamweld/core', 'packages/core'],
    ['@streamweld/testing', 'packages/testing'],
    ['@types/node', 'node_modules/@types/node'],
    ['typescript', 'node_modules/typescript'],
    ['vitest', 'node_modules/vitest'],
  ] as const) {
    const link = join(project, 'node_modules', name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(root, target), link);
  }
});
afterAll(() => rmSync(place, { recursive: true, force: true }));

describe('a project of its own', { timeout: 180_000 }, () => {
  it('is type-correct, and builds', () => {
    const { scripts } = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    expect(scripts).toMatchObject({
      build: 'tsc -p tsconfig.build.json',
      typecheck: 'tsc',
      test: 'vitest run',
    });
    succeed(project, tsc);
    succeed(project, tsc, '-p', 'tsconfig.build.json');
    expect(readFileSync(join(project, 'dist/source.d.ts'), 'utf8')).toContain('class RedisStreamsSource');
    expect(
      succeed(
        project,
        '--input-type=module',
        '--eval',
        "console.log(Object.keys(await import('streamweld-redis-streams')).join())",
      ),
    ).toContain('REDIS_STREAMS_ERROR_CODES,RedisStreamsSink,RedisStreamsSource');
  });

  it('passes its tests, those of the suites among them', () => {
    const output = succeed(project, vitest, 'run');
    expect(output).toMatch(/Tests {2}1\d\d passed \(1\d\d\)/);
  });
});

describe('a connector that breaks a rule', { timeout: 180_000 }, () => {
  let output: string;
  const failures = new Map<string, string[]>();

  beforeAll(() => {
    for (const broken of BROKEN) breakRule(broken);
    // One process for all of them: they share what they import. Each runs the tests of its rule.
    const report = join(place, 'report.json');
    const shared = [
      '--no-isolate',
      '--no-file-parallelism',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${report}`,
    ];
    const { status, output: said } = run(project, vitest, 'run', 'broken', ...shared);
    output = said;
    expect(status, output).toBe(1);
    const { testResults } = JSON.parse(readFileSync(report, 'utf8')) as {
      testResults: { name: string; assertionResults: { title: string; failureMessages: string[] }[] }[];
    };
    for (const { name, assertionResults } of testResults) {
      const rule = /broken\/(\w+)\//.exec(name)?.[1] ?? '';
      failures.set(
        rule,
        assertionResults.flatMap(({ failureMessages }) => failureMessages),
      );
    }
  });

  it.each(BROKEN)(
    'is told that it breaks $rule, which says what it is, and where to read: $defect',
    ({ rule, says }) => {
      const messages = failures.get(rule) ?? [];
      expect(messages.length, output).toBeGreaterThan(0);
      const contracts = readFileSync(join(root, 'docs/contracts.md'), 'utf8');
      const title = new RegExp(`^### ${rule} (.*)$`, 'm').exec(contracts)?.[1] as string;
      for (const message of messages) {
        expect(message).toContain(`${rule}, "${title}", asks for it: https://`);
        expect(message).toMatch(new RegExp(`docs/contracts\\.md#${rule.toLowerCase()}-[a-z]`));
      }
      expect(messages.join('\n')).toMatch(says);
      // In what stands in the terminal too.
      expect(output).toMatch(new RegExp(`FAIL .*broken/${rule}/.* > ${rule} [^]*?#${rule.toLowerCase()}-`));
    },
  );
});

/** A copy of the connector in which a line is another, and of its suites the tests of one rule. */
function breakRule({ rule, file, from, to }: BrokenRule): void {
  const folder = join(project, 'broken', rule);
  cpSync(join(project, 'src'), join(folder, 'src'), { recursive: true });
  cpSync(join(project, 'test/service.ts'), join(folder, 'test/service.ts'));
  const edit = (path: string, ...changes: readonly (readonly [string, string])[]) => {
    let text = readFileSync(path, 'utf8');
    for (const [old, changed] of changes) {
      expect(text, `${rule}: ${old}`).toContain(old);
      text = text.replaceAll(old, () => changed);
    }
    return text;
  };
  writeFileSync(join(folder, 'src', file), edit(join(folder, 'src', file), [from, to]));
  const suites = edit(
    join(project, 'test/conformance.test.ts'),
    ['{ describe, test }, ', '{ describe, test: only }, '],
    ['largeCount: 50_000', 'largeCount: 50_000,\n  deadlineMs: 1000'],
  );
  const only = `const only = (name: string, body: () => Promise<void>) => (name.startsWith('${rule} ') ? test : test.skip)(name, body);`;
  writeFileSync(
    join(folder, 'test/conformance.test.ts'),
    suites.replace('const service', `${only}\n\nconst service`),
  );
}
