import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** Of the broker: its jars and its image. */
export const KAFKA_VERSION = '4.4.0';

/** What runs a broker: a process of this machine, or a container. */
export interface KafkaEngine {
  /** Begins to run it, on the data of before if there are any. Whether it answers is for others to see. */
  start(): Promise<void>;
  /** The end of its log, once it has ended without having been asked to. */
  failure(): string | undefined;
  kill(): Promise<void>;
  freeze(): void;
  thaw(): void;
  /** Removes whatever is left of it. It does not run. */
  remove(): Promise<void>;
}

/** One of the ways to run brokers, which can be had here. */
export interface KafkaEngines {
  /** The address that listeners bind. */
  readonly host: string;
  open(setup: KafkaSetup): KafkaEngine;
}

export interface KafkaSetup {
  /** Of `server.properties`, but for where the data lie. */
  readonly properties: Readonly<Record<string, string>>;
  /** Arguments of the command that formats the folder of the data, beside those that say where it is. */
  readonly format: readonly string[];
  /** The listeners that are reached from outside. */
  readonly ports: readonly number[];
  /** Flags of the JVM. */
  readonly jvm: readonly string[];
}

export function propertiesText(properties: Readonly<Record<string, string>>): string {
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n`)
    .join('');
}

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
 * Runs a line of a shell when this process ends, however it ends: a broker is large, and a test that is killed says no
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

/** A folder outside the repository for what is fetched once. */
export function cacheFolder(): string {
  const folder = path.join(process.env['XDG_CACHE_HOME'] || path.join(os.homedir(), '.cache'), 'streamweld');
  fs.mkdirSync(folder, { recursive: true });
  return folder;
}
