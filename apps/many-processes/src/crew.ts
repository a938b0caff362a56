/** The processes that share the work, as the one sees them that has started them. */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Order, Word } from './process.ts';

const PROGRAM = fileURLToPath(new URL('process.ts', import.meta.url));

export interface Worker {
  readonly child: ChildProcess;
  readonly number: number;
  readonly exited: Promise<unknown>;
}

export interface CrewEvents {
  readonly onDone: (process: number, ids: readonly number[], at: number) => void;
  readonly onFailed: (error: Error) => void;
}

export class Crew {
  readonly #order: Omit<Order, 'number'>;
  readonly #events: CrewEvents;
  readonly workers: Worker[] = [];

  constructor(order: Omit<Order, 'number'>, events: CrewEvents) {
    this.#order = order;
    this.#events = events;
  }

  /** Resolves when it has its place in the group. */
  start(number: number): Promise<void> {
    const child = fork(PROGRAM, [JSON.stringify({ ...this.#order, number })], {
      // A group of its own: a Ctrl-C is for the one that has started it, which then tells it to end.
      detached: true,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.workers.push({ child, number, exited: once(child, 'exit') });
    return new Promise((resolve) => {
      child.on('message', (word: Word) => {
        if (word.kind === 'ready') resolve();
        else if (word.kind === 'done') this.#events.onDone(number, word.ids, word.at);
        else this.#events.onFailed(new Error(`Process ${number} failed: ${word.message}`));
      });
    });
  }

  /** Each finishes what it has in hand. */
  async stop(): Promise<void> {
    for (const { child } of this.workers) if (child.connected) child.send('stop');
    await Promise.all(this.workers.map(({ exited }) => exited));
  }

  /** None finishes anything. */
  async abort(): Promise<void> {
    for (const { child } of this.workers) child.kill('SIGKILL');
    await Promise.all(this.workers.map(({ exited }) => exited));
  }
}
