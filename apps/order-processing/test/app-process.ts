/** The app in a process of its own, as a user starts it, and databases for it. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { expect } from 'vitest';

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class App {
  readonly child: ChildProcess;
  /** Comes when it has ended, and its server too: they share stderr. */
  readonly ended: Promise<Ended>;
  #stdout = '';
  stderr = '';
  #waiting: { pattern: RegExp; seen: () => void } | undefined;

  constructor(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    // What the machine has is for those that ask for it.
    const { STREAMWELD_POSTGRES_URL: _url, INIT_CWD: _cwd, ...inherited } = process.env;
    this.child = spawn(
      process.execPath,
      ['--conditions=@streamweld/source', '--import', 'tsx', main, ...args],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
        // A group of its own, as a terminal gives it: a Ctrl-C goes to all that is in it.
        detached: true,
        env: { ...inherited, NO_COLOR: '1', ...env },
      },
    );
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
      this.#look();
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
      this.#look();
    });
    this.ended = once(this.child, 'close').then(() => ({
      code: this.child.exitCode,
      stdout: this.#stdout,
      stderr: this.stderr,
    }));
  }

  /** Resolves when it has said so. */
  says(pattern: RegExp): Promise<void> {
    return new Promise((seen) => {
      this.#waiting = { pattern, seen };
      this.#look();
    });
  }

  #look(): void {
    if (this.#waiting?.pattern.test(this.#stdout + this.stderr) === true) this.#waiting.seen();
  }

  /** A Ctrl-C, as a terminal sends it. */
  interrupt(): void {
    if (this.child.pid !== undefined) process.kill(-this.child.pid, 'SIGINT');
  }
}

/** It ended well, and said of so many things that they hold. */
export function expectProved({ code, stdout, stderr }: Ended, checks: number): void {
  expect(code, stdout + stderr).toBe(0);
  expect(stdout).not.toContain('WRONG');
  expect(stdout.match(/✓/g)).toHaveLength(checks);
}

let databases = 0;

/** A database of its own on the server. @returns its URL. */
export async function newDatabase(server: string): Promise<string> {
  databases += 1;
  const name = `orders_${process.pid}_${databases}`;
  const client = new pg.Client(server);
  await client.connect();
  try {
    await client.query(`create database ${name}`);
  } finally {
    await client.end();
  }
  const url = new URL(server);
  url.pathname = `/${name}`;
  return url.href;
}

/** Asks one question. Where the tables are not there yet, nothing is answered. */
export async function ask<R extends pg.QueryResultRow>(url: string, text: string): Promise<R[]> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    await client.query('set search_path = streamweld_orders');
    return (await client.query<R>(text)).rows;
  } finally {
    await client.end();
  }
}

/** Resolves when the run has paid so many orders. */
export function untilPaid(url: string, orders: number): Promise<void> {
  return until(url, orders, 'select count(*)::int as count from streamweld_orders.payments');
}

/** Resolves when the run would go on behind so many orders, were it killed now. */
export function untilKept(url: string, orders: number): Promise<void> {
  return until(
    url,
    orders,
    'select max(position::int) as count from streamweld_orders.streamweld_checkpoints',
  );
}

/** Asks again and again, over one connection, until the count is as large as that. */
async function until(url: string, count: number, question: string): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    for (;;) {
      // The tables may not be there yet.
      const found = await client.query<{ count: number | null }>(question).catch(() => undefined);
      if ((found?.rows[0]?.count ?? 0) >= count) return;
    }
  } finally {
    await client.end();
  }
}
