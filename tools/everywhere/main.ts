/**
 * `pnpm test:everywhere [platform…] [--project NAME]…`: runs the tests of a project on each platform and tells what came of
 * it. Default: all platforms, the project core. Ends with 1 if a test failed, or was neither run nor left out for a reason.
 */

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { chromiumVersion } from './chromium.ts';
import { type Platform, PLATFORMS } from './platforms.ts';
import { fetchProgram } from './programs.ts';
import { keepResults } from './results.ts';
import type { Tally } from './tally.ts';
import { judge, type Listed, type Verdict } from './verdict.ts';

const top = path.resolve(import.meta.dirname, '../..');
const vitest = path.join(top, 'node_modules/vitest/vitest.mjs');

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    project: { type: 'string', multiple: true, default: ['core'] },
    'no-record': { type: 'boolean', default: false },
  },
});
const names = PLATFORMS.map(({ name }) => name);
const strange = positionals.find((each) => !names.includes(each));
if (strange !== undefined) {
  console.error(`There is no platform ${strange}. There are: ${names.join(', ')}.`);
  process.exit(2);
}
const chosen = PLATFORMS.filter(({ name }) => positionals.length === 0 || positionals.includes(name));

/** Every test that there is, told by this Node without running one. */
function list(projects: readonly string[]): readonly Listed[] {
  const told = execFileSync(
    process.execPath,
    [vitest, 'list', '--json', ...projects.flatMap((each) => ['--project', each])],
    { cwd: top, encoding: 'utf8', maxBuffer: 2 ** 28, stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const tests = JSON.parse(told) as { name: string; file: string; projectName: string }[];
  return tests.map(({ name, file, projectName }) => ({
    project: projectName,
    file: file.slice(file.lastIndexOf('/test/') + 1),
    name,
  }));
}

/** Runs them there, with what Vitest says on the screen. */
function run(platform: Platform, version: string, projects: readonly string[]): Tally {
  const folder = mkdtempSync(path.join(tmpdir(), 'everywhere-'));
  try {
    const tally = path.join(folder, 'tally.json');
    const isProcess = platform.kind === 'process';
    const program = isProcess ? fetchProgram(platform) : process.execPath;
    const config = path.join(import.meta.dirname, isProcess ? 'vitest.config.ts' : 'browser.config.ts');
    spawnSync(
      program,
      [
        ...(isProcess ? platform.args : []),
        vitest,
        'run',
        '--config',
        config,
        ...projects.flatMap((each) => ['--project', each]),
      ],
      {
        cwd: top,
        stdio: ['ignore', 'inherit', 'inherit'],
        env: {
          ...process.env,
          // A test that starts `node` by name means the one that it runs under.
          PATH: `${path.dirname(program)}${path.delimiter}${process.env['PATH'] ?? ''}`,
          STREAMWELD_EVERYWHERE: `${platform.name} ${version}`,
          STREAMWELD_EVERYWHERE_TALLY: tally,
          DENO_NO_UPDATE_CHECK: '1',
        },
      },
    );
    return JSON.parse(readFileSync(tally, 'utf8')) as Tally;
  } catch (error) {
    return { tests: [], errors: [`It told nothing: ${String(error)}`] };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const listed = list(values.project);
const verdicts: Verdict[] = [];
const wrong: string[] = [];
for (const platform of chosen) {
  const version = platform.kind === 'process' ? platform.version : chromiumVersion();
  console.log(`\n== ${platform.name} ${version}`);
  const start = performance.now();
  const tally = run(platform, version, values.project);
  const seconds = Math.round((performance.now() - start) / 1000);
  for (const project of values.project) {
    const finding = judge(platform.name, project, listed, tally);
    const date = new Date().toISOString().slice(0, 10);
    verdicts.push({ ...finding.verdict, version, date, seconds });
    wrong.push(...finding.wrong.map((each) => `${platform.name}, ${project}: ${each}`));
  }
}

const sum = (counts: Verdict['skipped']): number => counts.reduce((all, { tests }) => all + tests, 0);
console.log('\nplatform    version            project    passed  failed  skipped  left out  seconds');
for (const { platform, version, project, passed, failed, skipped, leftOut, seconds } of verdicts) {
  const cells = [passed, failed, sum(skipped), sum(leftOut), seconds].map((each) => String(each));
  console.log(
    `${platform.padEnd(12)}${version.padEnd(19)}${project.padEnd(9)}` +
      [8, 8, 9, 10, 9].map((width, n) => cells[n]?.padStart(width)).join(''),
  );
  for (const { why, tests } of skipped) console.log(`              ${tests} skipped: ${why}`);
  for (const { why, tests } of leftOut) console.log(`              ${tests} left out: ${why}`);
}
for (const each of wrong) console.log(`wrong: ${each}`);
if (!values['no-record']) keepResults(verdicts);
process.exitCode = wrong.length > 0 ? 1 : 0;
