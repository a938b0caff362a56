/** Pipelines in processes of their own: signals, exit codes, and memory. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';

const running: ChildProcess[] = [];

afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
});

/** A program of `../children/`, and what it says. */
class Program {
  readonly child: ChildProcess;
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  stdout = '';
  stderr = '';
  #waiting: { text: string; seen: () => void } | undefined;

  constructor(name: string, ...args: readonly string[]) {
    const path = fileURLToPath(new URL(`../children/pipeline-${name}.ts`, import.meta.url));
    this.child = spawn(process.execPath, ['--expose-gc', '--import', 'tsx', path, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NO_COLOR: '1' },
    });
    running.push(this.child);
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
      if (this.#waiting !== undefined && this.stdout.includes(this.#waiting.text)) this.#waiting.seen();
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.ended = once(this.child, 'close').then(([code, signal]) => ({
      code: code as number | null,
      signal: signal as NodeJS.Signals | null,
    }));
  }

  /** Resolves when it has said so, or has ended. */
  async says(text: string): Promise<void> {
    const said = new Promise<void>((seen) => {
      this.#waiting = { text, seen };
      if (this.stdout.includes(text)) seen();
    });
    await Promise.race([said, this.ended]);
    expect(this.stdout, this.stderr).toContain(text);
  }
}

describe('ConcurrentPipeline, as a process', () => {
  it('[fault 16] drains and reports at the first SIGTERM, and ends well', async () => {
    const program = new Program('signals', 'quick');
    await program.says('running');
    program.child.kill('SIGTERM');
    expect(await program.ended, program.stderr).toEqual({ code: 0, signal: null });
    const report = JSON.parse(program.stdout.trim().split('\n').at(-1) ?? '') as Record<string, number>;
    expect(report).toMatchObject({ outcome: 'drained', written: report['read'] });
    expect(report['written']).toBeGreaterThan(0);
    expect(program.stderr).toBe('');
  }, 20_000);

  it('[fault 16] aborts at the second, at its deadline, with an exit code that is not 0', async () => {
    const program = new Program('signals', 'stuck');
    await program.says('running');
    program.child.kill('SIGTERM');
    await program.says('draining');
    program.child.kill('SIGTERM');
    expect(await program.ended, program.stderr).toEqual({ code: 1, signal: null });
    expect(program.stderr).toContain('SW_PIPELINE_ABORTED');
    expect(program.stderr).toContain('did not heed the abort');
  }, 20_000);

  it.each(['sync', 'async', 'durable', 'deferring'])(
    'keeps memory flat from the first million items to the tenth with a sink that is %s',
    async (kind) => {
      const program = new Program('memory', kind);
      expect(await program.ended, program.stderr).toEqual({ code: 0, signal: null });
      const told = JSON.parse(program.stdout) as { growth: number };
      expect(told).toMatchObject({ written: 10_000_000, samples: 10 });
      expect(told.growth).toBeLessThanOrEqual(1024 * 1024);
    },
    60_000,
  );
});
