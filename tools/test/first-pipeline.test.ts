import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { blocksOf, workspace } from '../check-snippets/blocks.ts';

const page = 'docs/guides/first-pipeline.md';
const text = readFileSync(path.join(workspace, page), 'utf8');
/** Inside the tools package, where the packages of the workspace are found. */
const folder = path.join(workspace, 'tools/check-snippets/.blocks/first-pipeline');
const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;

/** Commands of the `console` blocks, in the order of the page, each with the lines that it is said to print. */
const commands = [...text.matchAll(/^```console\n([^]*?)^```/gm)].flatMap(([, block = '']) =>
  block
    .split(/^\$ /m)
    .slice(1)
    .map((part) => {
      const [command = '', ...printed] = part.trimEnd().split('\n');
      return { command, printed: printed.filter((line) => line !== '…') };
    }),
);

function run(command: string): { output: string; signal: string | null } {
  const [, file = '', ...args] = /^npx tsx (\S+) ?(.*)$/.exec(command) ?? [];
  const isProgram = file !== '';
  const options = ['--conditions=@streamweld/source', '--import', tsx, file, ...args.filter(Boolean)];
  const { stdout, stderr, signal } = spawnSync(
    isProgram ? process.execPath : command,
    isProgram ? options : [],
    {
      cwd: folder,
      encoding: 'utf8',
      shell: !isProgram,
      env: { ...process.env, NO_COLOR: undefined, FORCE_COLOR: '0' },
    },
  );
  return { output: stdout + stderr, signal };
}

describe(page, () => {
  beforeAll(() => {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    for (const { code } of blocksOf(page, text)) {
      writeFileSync(path.join(folder, /^\/\/ (\S+\.mts)\n/.exec(code)?.[1] ?? 'unnamed.mts'), code);
    }
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('has programs and commands', () => {
    expect(commands.length).toBe(8);
  });

  // In order: each command finds what those before it have left.
  for (const { command, printed } of commands) {
    it(`prints what it says: ${command}`, { timeout: 60_000 }, () => {
      const { output, signal } = run(command);
      const lines = output.split('\n');
      expect(signal, output).toBe(command.endsWith('--kill') ? 'SIGKILL' : null);
      let at = 0;
      for (const line of printed) {
        const found = lines.indexOf(line, at);
        expect(found, `${line}\nis not in\n${lines.join('\n')}`).not.toBe(-1);
        at = found + 1;
      }
    });
  }
});
