/** results.json: what was run last, where, and what came of it; and the table of it that stands in README.md. */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { PLATFORMS } from './platforms.ts';
import type { Verdict } from './verdict.ts';

const file = path.join(import.meta.dirname, 'results.json');
const readme = path.resolve(import.meta.dirname, '../../README.md');
const marks = /(?<=<!-- everywhere, made by pnpm test:everywhere -->\n).*?(?=<!-- \/everywhere -->)/s;

const place = ({ platform }: Verdict): number => PLATFORMS.findIndex(({ name }) => name === platform);

export function readResults(): readonly Verdict[] {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Verdict[]) : [];
}

/** Puts new verdicts in the place of older ones of the same platform and project, and the table into README.md. */
export function keepResults(verdicts: readonly Verdict[]): void {
  const isNew = (old: Verdict): boolean =>
    verdicts.some(({ platform, project }) => platform === old.platform && project === old.project);
  const all = [...readResults().filter((old) => !isNew(old)), ...verdicts].sort(
    (a, b) => place(a) - place(b) || a.project.localeCompare(b.project),
  );
  writeFileSync(file, `${JSON.stringify(all, undefined, 2)}\n`);
  const before = readFileSync(readme, 'utf8');
  writeFileSync(
    readme,
    before.replace(marks, () => `${tableOf(all)}`),
  );
}

const sum = (counts: Verdict['skipped']): number => counts.reduce((all, { tests }) => all + tests, 0);

/** Rows of a run, for README.md: one for each platform and version, with its projects. */
export function tableOf(verdicts: readonly Verdict[]): string {
  if (verdicts.length === 0) return 'No whole run is recorded yet.\n';
  const rows = new Map<string, Verdict[]>();
  for (const verdict of verdicts) {
    const row = `${label(verdict.platform)} ${verdict.version}`;
    rows.set(row, [...(rows.get(row) ?? []), verdict]);
  }
  const lines = [...rows].map(([row, each]) => {
    const ran = each.map(({ project, passed, failed }) =>
      failed === 0 ? `${project} ${passed}` : `${project} ${passed}, and ${failed} **failed**`,
    );
    const left = each
      .map((verdict) => ({ project: verdict.project, tests: sum(verdict.leftOut) + sum(verdict.skipped) }))
      .filter(({ tests }) => tests > 0)
      .map(({ project, tests }) => `${project} ${tests}`);
    const dates = [...new Set(each.map(({ date }) => date))].sort();
    return `| ${row} | ${ran.join(' · ')} | ${left.join(' · ') || 'none'} | ${dates.join(', ')} |\n`;
  });
  return `| | tests that passed | not run | on |\n| --- | --- | --- | --- |\n${lines.join('')}`;
}

function label(platform: string): string {
  return platform.startsWith('node-') ? 'Node' : platform.slice(0, 1).toUpperCase() + platform.slice(1);
}

/** @returns the table as it stands in README.md */
export function tableInReadme(): string | undefined {
  return marks.exec(readFileSync(readme, 'utf8'))?.[0];
}
