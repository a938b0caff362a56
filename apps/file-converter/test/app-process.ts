/** The app in a process of its own, as a user starts it. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class App {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  #stdout = '';
  #stderr = '';
  #waiting: { pattern: RegExp; seen: () => void } | undefined;

  constructor(args: readonly string[], cwd: string) {
    const tsx = import.meta.resolve('tsx');
    this.child = spawn(
      process.execPath,
      ['--conditions=@streamweld/source', '--import', tsx, main, ...args],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
        cwd,
        env: { ...process.env, NO_COLOR: '1' },
      },
    );
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
      this.#look();
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
      this.#look();
    });
    this.ended = once(this.child, 'close').then(() => ({
      code: this.child.exitCode,
      stdout: this.#stdout,
      stderr: this.#stderr,
    }));
  }

  /** Resolves when it has said so, and rejects where it has ended without. */
  says(pattern: RegExp): Promise<void> {
    const seen = new Promise<void>((resolve) => {
      this.#waiting = { pattern, seen: resolve };
      this.#look();
    });
    const missed = this.ended.then(({ stdout, stderr }) => {
      if (!pattern.test(stdout + stderr)) throw new Error(`It never said ${pattern}:\n${stdout}${stderr}`);
    });
    return Promise.race([seen, missed]);
  }

  #look(): void {
    if (this.#waiting?.pattern.test(this.#stdout + this.#stderr) === true) this.#waiting.seen();
  }
}
