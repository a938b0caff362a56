/** The program in a process of its own, as a user starts it: without a terminal, or in one. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const COMMAND = [process.execPath, '--conditions=@streamweld/source', '--import', 'tsx', MAIN];

const BEGIN_FRAME = '\u001B[?2026h';

export class Program {
  readonly child: ChildProcess;
  stdout = '';
  stderr = '';
  readonly #code: Promise<unknown>;
  #heard: (() => void) | undefined;

  private constructor(command: readonly string[], env: NodeJS.ProcessEnv) {
    const { CI: _, FORCE_COLOR: __, ...inherited } = process.env;
    const [file, ...args] = command as [string, ...string[]];
    this.child = spawn(file, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...inherited, NO_COLOR: '1', TERM: 'xterm', ...env },
    });
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
      this.#heard?.();
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
      this.#heard?.();
    });
    this.#code = once(this.child, 'close');
  }

  static withoutTerminal(args: readonly string[], env: NodeJS.ProcessEnv = {}): Program {
    const program = new Program([...COMMAND, ...args], env);
    program.child.stdin?.end();
    return program;
  }

  /** `script` gives it a terminal, of 80 columns and 24 rows. @param tail what is put behind it for the shell */
  static inTerminal(args: readonly string[], tail: string = ''): Program {
    const line = [...COMMAND, ...args].map((word) => `'${word}'`).join(' ');
    return new Program(['script', '-qfec', `stty cols 80 rows 24; ${line} ${tail}`, '/dev/null'], {});
  }

  /** What a terminal shows now of what is drawn again and again. */
  get frame(): string {
    return stripVTControlCharacters(this.stdout.slice(this.stdout.lastIndexOf(BEGIN_FRAME)));
  }

  /** Keys, as a terminal sends them. */
  press(keys: string): void {
    this.child.stdin?.write(keys);
  }

  /** Resolves when it holds; rejects if it never does. */
  async until(what: string, holds: () => boolean): Promise<void> {
    const ended = this.#code.then(() => true);
    while (!holds()) {
      const next = new Promise<boolean>((resolve) => {
        this.#heard = () => resolve(false);
      });
      // Few turns of a short life: nothing is kept that would matter.
      if ((await Promise.race([next, ended])) && !holds())
        throw new Error(`It ended without ${what}:\n${this.stdout}\n${this.stderr}`);
    }
  }

  async code(): Promise<number | null> {
    await this.#code;
    return this.child.exitCode;
  }
}

/** Whether this machine's `script` can give it a terminal; that of util-linux can. In CI it must. */
export const hasTerminal: boolean =
  process.env['CI'] !== undefined ||
  spawnSync('script', ['--version'], { encoding: 'utf8' }).stdout?.includes('util-linux') === true;
