/**
 * What sinks of these tests write to: a table outside of the process, as far as a sink can tell. A request takes some turns
 * of the event loop, may fail once, or get no answer; and a process that is killed loses its connections.
 */

import { Deferred, onAbort, StreamWeldError } from '@streamweld/core/connector';

export interface Row {
  readonly id: number;
  readonly word: string;
}

export function rowOf(id: number): Row {
  return { id, word: `word-of-${id}` };
}

export class Table {
  readonly password: string = 'the right one';
  /** Rows by the number of their place, which whoever writes may choose. */
  rows: Row[][] = [];
  /** By checkpoint and lane. */
  readonly positions = new Map<string, Map<string, unknown>>();
  readonly connections = new Set<Connection>();
  stalled: Deferred | undefined;
  failsNext = false;

  connect(password: string = this.password): Connection {
    if (password !== this.password)
      throw new StreamWeldError('TABLE_DENIED', 'The table refused the password. Give the right one.');
    return new Connection(this);
  }

  read(): Row[] {
    return this.rows.flat();
  }

  positionsOf(checkpoint: string): ReadonlyMap<string, unknown> {
    return this.positions.get(checkpoint) ?? new Map();
  }

  insert(rows: readonly Row[]): void {
    this.rows.push([...rows]);
  }

  keep(checkpoint: string, positions: ReadonlyMap<string, unknown>): void {
    this.positions.set(checkpoint, new Map([...this.positionsOf(checkpoint), ...positions]));
  }

  stall(): () => void {
    const stalled = new Deferred();
    this.stalled = stalled;
    return () => {
      this.stalled = undefined;
      stalled.resolve();
    };
  }

  kill(): void {
    for (const connection of [...this.connections]) connection.die();
  }
}

export class Connection {
  readonly table: Table;
  /** Keeps the process alive, as a socket does. */
  readonly #handle = setInterval(() => {}, 1_000_000);
  #state: 'open' | 'closed' | 'dead' = 'open';

  constructor(table: Table) {
    this.table = table;
    table.connections.add(this);
  }

  /** Happens at once and whole, some turns after it was asked for. */
  async request<R>(change: (table: Table) => R, signal?: AbortSignal, turns: number = 1): Promise<R> {
    for (let turn = 0; turn < turns; turn += 1) await this.#turn();
    const { stalled } = this.table;
    if (stalled !== undefined) await answerOrAbort(stalled.promise, signal);
    await this.#turn();
    if (signal?.aborted === true) throw aborted();
    if (this.table.failsNext) {
      this.table.failsNext = false;
      throw new StreamWeldError('TABLE_AWAY', 'The table did not answer. Try again.');
    }
    const answer = change(this.table);
    await this.#turn();
    return answer;
  }

  close(): void {
    this.#state = this.#state === 'open' ? 'closed' : this.#state;
    clearInterval(this.#handle);
    this.table.connections.delete(this);
  }

  /** With its process: whoever is gone sees nothing any more. */
  die(): void {
    this.#state = 'dead';
    this.close();
  }

  async #turn(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    if (this.#state === 'dead') await new Promise(() => {});
    if (this.#state === 'closed')
      throw new StreamWeldError('TABLE_CLOSED', 'The connection was closed. Open it again.');
  }
}

function aborted(): StreamWeldError {
  return new StreamWeldError('TABLE_ABORTED', 'The request was given up, for its run was aborted.');
}

async function answerOrAbort(answer: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return answer;
  let forget: (() => void) | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      answer.then(resolve, reject);
      forget = onAbort(signal, () => reject(aborted()));
    });
  } finally {
    forget?.();
  }
}
