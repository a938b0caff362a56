/** Programs that this command runs: in a process group each, so that an abort leaves none of their children. */

import { spawn } from 'node:child_process';

export interface ProgramOptions {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  /** Ends the program and all that it started. */
  readonly signal: AbortSignal;
}

export interface Ended {
  readonly code: number;
  /** What it printed, to both. */
  readonly output: string;
  /** What it printed to stdout alone. */
  readonly stdout: string;
}

/** Runs a program to its end. @throws of an abort, its reason; of a program that is not there, what the system says. */
export function runToEnd(
  program: string,
  args: readonly string[],
  { cwd, env, signal }: ProgramOptions,
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const child = spawn(program, args, { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    let stdout = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text));
    const end = (): void => {
      if (child.pid === undefined) return;
      try {
        process.kill(-child.pid, 'SIGKILL');
      } catch {
        // It has just ended by itself.
      }
    };
    signal.addEventListener('abort', end, { once: true });
    const settle = (say: () => void): void => {
      signal.removeEventListener('abort', end);
      say();
    };
    child.on('error', (error) => settle(() => reject(error)));
    child.on('close', (code) =>
      settle(() => {
        if (signal.aborted) reject(signal.reason as Error);
        else resolve({ code: code ?? 1, output, stdout });
      }),
    );
  });
}

/** Like `runToEnd`, and fails with what the program said if it failed. */
export async function mustRun(
  program: string,
  args: readonly string[],
  options: ProgramOptions,
): Promise<string> {
  const { code, output, stdout } = await runToEnd(program, args, options);
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${code}\n${output.trim()}`);
  return stdout;
}

/** `work` for each of `items`, at most `width` at once. What they find comes in the order of the items. */
export async function inParallel<T, R>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results = new Array<R>(items.length);
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let at = next++; at < items.length; at = next++) results[at] = await work(items[at] as T);
  };
  await Promise.all(Array.from({ length: width }, worker));
  return results;
}
