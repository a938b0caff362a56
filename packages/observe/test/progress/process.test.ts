/** What is left of progress when its process ends, however it does. */

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Terminal } from '../terminal.ts';

const program = join(import.meta.dirname, '../children/watched.ts');

interface Outcome {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly terminal: Terminal;
}

/** @param signal is sent once, when the rows are drawn. */
function run(fate: string, mode: string, signal?: NodeJS.Signals): Promise<Outcome> {
  const child = spawn(
    process.execPath,
    ['--conditions=@streamweld/source', '--import', 'tsx', program, fate, mode],
    {
      env: { ...process.env, CI: '', NO_COLOR: '1', FORCE_COLOR: undefined },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  const terminal = new Terminal();
  let stdout = '';
  child.stderr.on('data', (chunk: Buffer) => terminal.write(chunk));
  child.stdout.on('data', (chunk: Buffer) => {
    if (stdout === '' && signal !== undefined) child.kill(signal);
    stdout += chunk.toString();
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, killedBy) => resolve({ code, signal: killedBy, stdout, terminal }));
  });
}

const UNFINISHED = /^✗ child not finished after \d\.\d s: /u;

describe('progress in a process', () => {
  it('keeps stdout clean for data, and puts the cursor back', async () => {
    const { code, stdout, terminal } = await run('ends', 'tty');
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^(?:a line of data\n)?written 240\n/u)]);
    expect(terminal.raw).toContain('\u001b[?25l');
    expect(terminal.isCursorShown).toBe(true);
    expect(terminal.lines[0]).toMatch(/^✓ child completed in \d\.\d s: 240 items/u);
  });

  it('is a log where there is no terminal, with its last line however it ends', async () => {
    const [ends, exits] = await Promise.all([run('ends', 'auto'), run('exits', 'auto')]);
    expect(ends.terminal.raw).toMatch(/^✓ child completed in .*\n {2}stage/u);
    expect([exits.code, exits.terminal.lines[0]]).toEqual([3, expect.stringMatching(UNFINISHED)]);
    for (const { terminal } of [ends, exits]) expect(terminal.raw).not.toContain('\u001b');
  });

  it.each([
    ['exits', 3],
    ['throws', 1],
  ])('leaves the terminal as it was where the process %s', async (fate, expected) => {
    const { code, terminal } = await run(fate, 'tty');
    expect([code, terminal.isCursorShown]).toEqual([expected, true]);
    expect(terminal.text).toMatch(/^✗ child not finished after /mu);
    expect(terminal.text).not.toContain('running');
  });

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'leaves it so too where %s ends the process, which it still does',
    async (name) => {
      const { signal, terminal } = await run('goes on', 'tty', name);
      expect([signal, terminal.isCursorShown]).toEqual([name, true]);
      expect(terminal.lines[0]).toMatch(UNFINISHED);
    },
  );

  it('leaves a signal that somebody handles to him, and shows the drain', async () => {
    const { code, stdout, terminal } = await run('drains', 'tty', 'SIGINT');
    expect([code, stdout]).toEqual([0, expect.stringMatching(/written \d+\n$/u)]);
    expect(terminal.lines[0]).toMatch(/^✓ child drained in /u);
    expect(terminal.isCursorShown).toBe(true);
  });
});
