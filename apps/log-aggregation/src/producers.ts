/** Those whose logs are aggregated: a site, and two clients that ask it, each a process of its own that does something real. */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Refusal } from '@streamweld/app-kit';

/** Every how many requests the site is too busy, and says so. */
const FAIL_EVERY = 23;

const PROGRAMS = {
  site: new URL('./producers/site.ts', import.meta.url),
  crawler: new URL('./producers/crawler.ts', import.meta.url),
  checker: new URL('./producers/checker.ts', import.meta.url),
} as const;

export class Producers {
  /** Where they write: an access log in the combined format, and two of a JSON object a line. */
  readonly paths: readonly string[];
  /** Resolves when all have done what they do, or were stopped: nothing more is written. */
  readonly ended: Promise<void>;
  readonly #site: ChildProcess;
  readonly #clients: readonly ChildProcess[];

  private constructor(paths: readonly string[], site: ChildProcess, clients: readonly ChildProcess[]) {
    this.paths = paths;
    this.#site = site;
    this.#clients = clients;
    this.ended = Promise.all(clients.map(end)).then(() => stop(site));
    // Whoever waits for it hears of it.
    this.ended.catch(() => {});
  }

  /** The logs are there, and empty or more, when it resolves. @throws Refusal LOGS_PRODUCER_FAILED */
  static async start(folder: string, rounds: number): Promise<Producers> {
    const paths = ['site.log', 'crawler.log', 'checker.log'].map((name) => join(folder, name));
    const [access = '', crawled = '', checked = ''] = paths;
    for (const path of paths) writeFileSync(path, '');
    const site = start('site', access, String(FAIL_EVERY));
    const [message] = (await Promise.race([once(site, 'message'), failed(site)])) as [{ url: string }];
    const clients = [
      start('crawler', message.url, crawled, String(rounds)),
      start('checker', message.url, checked, String(rounds)),
    ];
    return new Producers(paths, site, clients);
  }

  /** They finish the request they are at. */
  async stop(): Promise<void> {
    for (const client of this.#clients) tellToStop(client);
    await this.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of [...this.#clients, this.#site]) if (child.exitCode === null) child.kill('SIGKILL');
    await this.ended.catch(() => {});
  }
}

function start(name: keyof typeof PROGRAMS, ...args: readonly string[]): ChildProcess {
  // A Ctrl-C is for the app, which stops them. They end with it in any case: their channel to it closes.
  return fork(fileURLToPath(PROGRAMS[name]), args, {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    detached: true,
  });
}

function tellToStop(child: ChildProcess): void {
  // It may be gone already.
  if (child.connected) child.send('stop', () => {});
}

async function stop(site: ChildProcess): Promise<void> {
  tellToStop(site);
  await end(site);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  if (child.exitCode !== 0) throw failure(child);
}

async function failed(child: ChildProcess): Promise<never> {
  await once(child, 'exit');
  throw failure(child);
}

function failure({ spawnfile, exitCode, signalCode }: ChildProcess): Refusal {
  return new Refusal(
    'LOGS_PRODUCER_FAILED',
    `A process that writes logs (${spawnfile}) ended with ${exitCode ?? signalCode}. What it said stands above; start again.`,
  );
}
