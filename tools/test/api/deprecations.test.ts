import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { deprecationsOf, overdue } from '../../api/deprecations.ts';

const SOURCE = `
/**
 * Sends one item.
 * @deprecated since 0.3.0, to go in 1.0.0: use \`sendMany\`, which
 *   waits for room.
 * @throws SendError
 */
export function send(item: string): void;
export function send(item: readonly string[]): void;
export function send(item: unknown): void { void item; }
`;

describe('deprecationsOf', () => {
  it('finds since when, until when and what instead', () => {
    expect(deprecationsOf('a.ts', SOURCE)).toEqual({
      deprecations: [
        {
          place: 'a.ts:4',
          since: '0.3.0',
          removedIn: '1.0.0',
          advice: 'use `sendMany`, which waits for room.',
        },
      ],
      problems: [],
    });
  });

  for (const text of [
    '',
    'use `sendMany`.',
    'since 0.3.0: use `sendMany`.',
    'since 0.3.0, to go in 1.0.0: it is bad.',
    'since 0.3, to go in 1: use `sendMany`.',
  ]) {
    it(`refuses "@deprecated ${text}"`, () => {
      const { deprecations, problems } = deprecationsOf(
        'a.ts',
        `\n/** @deprecated ${text} */\nexport const a = 1;`,
      );
      expect(deprecations).toEqual([]);
      expect(problems).toEqual([expect.stringContaining('a.ts:2: write "@deprecated since 0.3.0')]);
    });
  }

  it('does not take the word for the mark', () => {
    expect(
      deprecationsOf('a.ts', "/** Not deprecated, see x@deprecated. */ const a = '@deprecated';").problems,
    ).toEqual([]);
  });
});

describe('overdue', () => {
  it('tells what was to go in a version that has come', () => {
    const { deprecations } = deprecationsOf('a.ts', SOURCE);
    expect(overdue(deprecations, '0.9.9')).toEqual([]);
    expect(overdue(deprecations, '1.0.0')).toEqual([
      expect.stringContaining('a.ts:4: this was to go in 1.0.0'),
    ]);
    expect(overdue(deprecations, '1.10.0')).toHaveLength(1);
  });
});

describe('the linter', () => {
  it('sees that a deprecated overload or option is used', { timeout: 120_000 }, () => {
    const workspace = join(import.meta.dirname, '../../..');
    // Within the workspace: that is where the linter finds its type checker.
    const folder = mkdtempSync(join(import.meta.dirname, 'deprecated-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    writeFileSync(
      join(folder, 'tsconfig.json'),
      '{"compilerOptions":{"strict":true,"module":"nodenext","types":[]}}',
    );
    writeFileSync(
      join(folder, 'thing.ts'),
      `${SOURCE}export interface Options {
  /** @deprecated since 0.3.0, to go in 1.0.0: use \`maxItems\`. */
  readonly size?: number;
  readonly maxItems?: number;
}
export function open(options: Options): void { void options; }
`,
    );
    const use =
      "import { open, send } from './thing.js';\nsend('a');\nsend(['a']);\nopen({ size: 1 });\nopen({ maxItems: 1 });\n";
    writeFileSync(join(folder, 'use.ts'), use);
    const { stdout } = spawnSync(
      join(workspace, 'node_modules/.bin/oxlint'),
      ['--config', join(workspace, '.oxlintrc.json'), '--format', 'unix', folder],
      { cwd: workspace, encoding: 'utf8' },
    );
    const seen = [...stdout.matchAll(/use\.ts:(\d+):\d+: `\w+` is deprecated\./gu)].map(([, line]) => line);
    expect(seen, stdout).toEqual(['2', '4']);
  });
});
