/** Other programs: run to their end, or what is to run when this one has ended. */

import { spawn } from 'node:child_process';
import os from 'node:os';

/** Runs a program to its end, and resolves with what it printed; rejects with that if it fails. */
export async function run(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<string> {
  const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code === 0) resolve(output);
      else reject(new Error(`${program} ended with ${code ?? signal}: ${output.trim().slice(-800)}`));
    });
  });
}

/**
 * Runs a line of a shell when this process ends, however it ends: a server is large, and a test that is killed says no
 * goodbye. In the line, `$last` is what was last told to it.
 */
export class Afterwards {
  readonly #shell;

  constructor(line: string, ...args: readonly string[]) {
    this.#shell = spawn('sh', ['-c', `while read -r word; do last=$word; done; ${line}`, 'sh', ...args], {
      // Away from the terminal, whose Ctrl-C is for the others.
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
      cwd: os.tmpdir(),
    });
    this.#shell.on('error', () => {});
    this.#shell.stdin.on('error', () => {});
    this.#shell.unref();
    (this.#shell.stdin as unknown as { unref(): void }).unref();
  }

  tell(word: string): void {
    this.#shell.stdin.write(`${word}\n`);
  }

  cancel(): void {
    this.#shell.kill('SIGKILL');
  }
}
