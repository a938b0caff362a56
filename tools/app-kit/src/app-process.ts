/** An app in a process of its own, as a user starts it: without a terminal, or in one. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export interface Ended {
  /** Nothing where a signal has ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface AppProcessOptions {
  /** Default: that of the test. */
  readonly cwd?: string | undefined;
  /** Beside what is inherited. What the machine has of services and of CI is not: who tests it gives it. */
  readonly env?: NodeJS.ProcessEnv | undefined;
  /** In a terminal of 80 columns and 24 rows, where all that it says is in `stdout`. See `hasTerminal`. */
  readonly terminal?: boolean | undefined;
  /** What the shell of a terminal reads behind the command, as `</dev/null`. */
  readonly tail?: string | undefined;
}

const NOT_INHERITED = /^(STREAMWELD_.*|AWS_.*|INIT_CWD|CI|FORCE_COLOR)$/;

/** Whether this machine's `script` can give it a terminal; that of util-linux can. In CI it must. */
export const hasTerminal: boolean =
  process.env['CI'] !== undefined ||
  spawnSync('script', ['--version'], { encoding: 'utf8' }).stdout?.includes('util-linux') === true;

export class AppProcess {
  readonly child: ChildProcess;
  /** Resolves when it has ended, and a server that it has brought along too: they share stderr. */
  readonly ended: Promise<Ended>;
  stdout = '';
  stderr = '';
  readonly #waiting = new Set<() => void>();

  /** @param main its program: `new URL('../src/main.ts', import.meta.url)` */
  constructor(
    main: URL,
    args: readonly string[],
    { cwd, env = {}, terminal = false, tail = '' }: AppProcessOptions = {},
  ) {
    const loader = ['--conditions=@streamweld/source', '--import', import.meta.resolve('tsx')];
    const command = [process.execPath, ...loader, fileURLToPath(main), ...args];
    const [file, ...words] = terminal ? inTerminal(command, tail) : command;
    const inherited = Object.entries(process.env).filter(([name]) => !NOT_INHERITED.test(name));
    this.child = spawn(file as string, words, {
      stdio: [terminal ? 'pipe' : 'ignore', 'pipe', 'pipe'],
      // A group of its own, as a terminal gives it: a Ctrl-C goes to all that is in it.
      detached: true,
      cwd,
      env: {
        ...Object.fromEntries(inherited),
        NO_COLOR: '1',
        ...(terminal ? { TERM: 'xterm' } : {}),
        ...env,
      },
    });
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
      this.#heard();
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
      this.#heard();
    });
    this.ended = once(this.child, 'close').then(() => {
      this.#heard();
      return { code: this.child.exitCode, stdout: this.stdout, stderr: this.stderr };
    });
  }

  /** Resolves when it has said so, on stdout or stderr. Rejects where it has ended without. */
  says(pattern: RegExp): Promise<void> {
    return this.until(`saying ${pattern}`, () => pattern.test(this.stdout) || pattern.test(this.stderr));
  }

  /** Resolves when it holds, which is looked at whenever it says something. Rejects where it has ended without. */
  async until(what: string, holds: () => boolean): Promise<void> {
    while (!holds()) {
      if (this.child.stdout?.closed === true && this.child.stderr?.closed === true)
        throw new Error(`It ended without ${what}:\n${this.stdout}\n${this.stderr}`);
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  #heard(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }

  /** A Ctrl-C, as a terminal sends it. */
  interrupt(): void {
    this.#signal('SIGINT');
  }

  /** Keys, as a terminal sends them. */
  press(keys: string): void {
    this.child.stdin?.write(keys);
  }

  /** Ends it without asking. What a test starts is ended by it: `afterEach(() => app?.kill())`. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.ended;
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.child.pid !== undefined) process.kill(-this.child.pid, signal);
  }
}

/** `script` gives it a terminal, and the exit code of what it has run. */
function inTerminal(command: readonly string[], tail: string): string[] {
  const line = command.map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`).join(' ');
  return ['script', '-qfec', `stty cols 80 rows 24; ${line} ${tail}`, '/dev/null'];
}
