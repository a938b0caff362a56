/** Act 3: a run in a process of its own, which is killed at random moments and started again until it is through. */

import { type ChildProcess, fork } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SURVIVED_FILE } from './pipeline.ts';
import type { Stage } from './stage.ts';

/** How often it is killed, if it does not come to its end before. */
const KILLS = 3;

/** What the process tells: the row from which it would go on if it were killed now, and whether it is through. */
export interface Told {
  readonly row: number;
  readonly isDone: boolean;
}

/** By it the process is told of the database, where there is one: what is in a URL is not for the list of processes. */
export const DATABASE_VARIABLE = 'STREAMWELD_FLIGHTS_DATABASE';

interface Kill {
  /** The row from which it would have gone on, as it last told. */
  readonly told: number;
  /** What a database had of it once it was dead: as many rows as the position says, or something was torn. */
  readonly found: { readonly rows: number; readonly position: number } | undefined;
  /** The row from which it went on. */
  readonly resumed: number;
}

export interface Survival {
  /** The file that it wrote into, where there is no database. */
  readonly path: string | undefined;
  readonly kills: readonly Kill[];
  /** The row that it came to: all that were asked for, if nobody stopped it. */
  readonly rows: number;
  readonly isStopped: boolean;
  readonly ms: number;
}

export async function survive({ limit, folder, database, progress, shutdown }: Stage): Promise<Survival> {
  const home = join(folder, 'survived');
  // What is left of an earlier demo would be gone on with: that is what it is for. The schema is new.
  await rm(home, { recursive: true, force: true });
  const begunAt = performance.now();
  const elapsedMs = () => performance.now() - begunAt;
  const kills: Kill[] = [];
  let row = 0;
  const read = () => ({
    title: `Act 3, killed ${times(kills.length)}`,
    total: limit,
    items: row,
    elapsedMs: elapsedMs(),
  });
  await progress.during(read, async () => {
    let isDone = false;
    let found: Kill['found'];
    for (let lives = 1; !isDone; lives += 1) {
      const life = new Life(limit, home, database?.url);
      // Somewhere in the first half of what is left: never at a moment that anything was prepared for.
      const killAt = lives > KILLS ? Number.POSITIVE_INFINITY : row + (Math.random() * (limit - row)) / 2;
      let isFirst = true;
      isDone = await shutdown.while(life, () =>
        life.until((now) => {
          if (isFirst && lives > 1) kills.push({ told: row, found, resumed: now });
          isFirst = false;
          row = now;
          return row > killAt && !shutdown.isWanted;
        }),
      );
      shutdown.signal.throwIfAborted();
      found = isDone ? undefined : await database?.survived();
    }
  });
  const path = database === undefined ? join(home, SURVIVED_FILE) : undefined;
  return { path, kills, rows: row, isStopped: shutdown.isWanted, ms: elapsedMs() };
}

export function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`;
}

/** One life of the process. */
class Life {
  readonly #child: ChildProcess;
  #killing: NodeJS.Timeout | undefined;

  constructor(limit: number, home: string, database: string | undefined) {
    // A group of its own: a Ctrl-C is ours to pass on.
    this.#child = fork(fileURLToPath(new URL('./survivor.ts', import.meta.url)), [String(limit), home], {
      detached: true,
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      env: { ...process.env, [DATABASE_VARIABLE]: database },
    });
  }

  /** Lets it finish what it has begun. */
  async drain(): Promise<void> {
    this.#child.send('drain', () => {});
  }

  abort(): void {
    this.#child.kill('SIGKILL');
  }

  /** In the middle of whatever it will be at by then. */
  #killSoon(): void {
    this.#killing ??= setTimeout(() => this.#child.kill('SIGKILL'), Math.random() * 30);
  }

  /** Kills it when `isEnough` says so of the row it tells. Answers whether it came to its end before. */
  until(isEnough: (row: number) => boolean): Promise<boolean> {
    return new Promise((resolve, reject) => {
      let isDone = false;
      this.#child.on('message', (told: Told) => {
        isDone = told.isDone;
        if (isEnough(told.row)) this.#killSoon();
      });
      this.#child.once('error', reject);
      this.#child.once('close', (code, signal) => {
        clearTimeout(this.#killing);
        if (signal === 'SIGKILL') resolve(false);
        else if (code === 0 && isDone) resolve(true);
        else reject(new Error(`The process of act 3 ended with ${signal ?? `code ${code}`}.`));
      });
    });
  }
}
