/** Sinks of a table that keep their contract, one of each kind. */

import type { Accepted, Awaitable, Sink, SinkContext, WriteContext } from '@streamweld/core';
import { Deferred, WriteError } from '@streamweld/core/connector';
import type { SinkHarness } from '@streamweld/testing';
import { type Connection, type Row, rowOf, Table } from './table.ts';

/** A row that no table takes. */
export function isBad(row: Row): boolean {
  return row.id < 0;
}

/** What all of them have: a connection, from `open` to `close`. */
abstract class TableSink implements Sink<Row> {
  protected readonly table: Table;
  protected readonly password: string;
  protected connection: Connection | undefined;
  protected context: SinkContext | undefined;

  constructor(table: Table, password: string = table.password) {
    this.table = table;
    this.password = password;
  }

  open(context: SinkContext): void {
    this.context = context;
    this.connection = this.table.connect(this.password);
  }

  abstract write(batch: readonly Row[], context: WriteContext): Awaitable<void | Accepted>;

  close(_reason?: unknown): Awaitable<void> {
    this.connection?.close();
  }

  protected get live(): Connection {
    if (this.connection === undefined) throw new Error('It is not open.');
    return this.connection;
  }

  protected check(batch: readonly Row[]): void {
    const failed = batch.flatMap((row, index) => (isBad(row) ? [index] : []));
    if (failed.length === 0) return;
    throw new WriteError('The table does not take some rows. Their indexes are in failed.', {
      failed,
      retryable: false,
    });
  }
}

/** Writes row by row; what failed, and what was not tried then, is named. */
export class PlainSink extends TableSink {
  readonly concurrency: number = 3;

  async write(batch: readonly Row[], { signal }: WriteContext): Promise<void> {
    this.check(batch);
    for (const [index, row] of batch.entries()) {
      try {
        await this.live.request((table) => table.insert([row]), signal, index % 100 === 0 ? 1 : 0);
      } catch (cause) {
        const failed = batch.map((_, at) => at).slice(index);
        throw new WriteError('Some rows were not written. Their indexes are in failed.', { failed, cause });
      }
    }
  }
}

/** Writes all of a batch in one step, or none. */
export class AtomicSink extends TableSink {
  readonly concurrency: number = 2;
  readonly atomic: boolean = true;

  async write(batch: readonly Row[], { signal }: WriteContext): Promise<void> {
    this.check(batch);
    await this.live.request((table) => table.insert(batch), signal);
  }
}

/** Gathers, and writes what it has gathered with a flush. */
export class GatheringSink extends TableSink {
  readonly atomic: boolean = true;
  protected gathered: Row[][] = [];
  protected durable: Deferred | undefined;

  write(batch: readonly Row[], _context: WriteContext): Awaitable<void | Accepted> {
    this.check(batch);
    this.gathered.push([...batch]);
    this.durable ??= new Deferred();
    return { durable: this.durable.promise };
  }

  async flush(): Promise<void> {
    const { gathered, durable } = this;
    if (durable === undefined) return;
    await this.live.request((table) => {
      for (const rows of gathered) table.insert(rows);
    }, this.context?.signal);
    this.gathered = this.gathered.slice(gathered.length);
    if (this.durable === durable) this.durable = undefined;
    durable.resolve();
  }
}

/** Uploads in the background, several at once, which come to their end in any order; each has its place. */
export class UploadSink extends TableSink {
  readonly concurrency: number = 4;
  readonly atomic: boolean = true;
  readonly uploads = new Set<Promise<void>>();

  write(batch: readonly Row[], { signal }: WriteContext): Awaitable<void | Accepted> {
    this.check(batch);
    const { rows } = this.table;
    const place = rows.push([]) - 1;
    const uploaded = this.upload(place, batch, signal, 1 + ((place * 7) % 5));
    const durable = uploaded.finally(() => this.uploads.delete(durable));
    durable.catch(() => {});
    this.uploads.add(durable);
    return { durable };
  }

  async upload(place: number, batch: readonly Row[], signal: AbortSignal, turns: number): Promise<void> {
    const put = (table: Table): void => {
      table.rows[place] = [...batch];
    };
    try {
      await this.live.request(put, signal, turns);
    } catch {
      await this.live.request(put, signal);
    }
  }

  override async close(): Promise<void> {
    await Promise.allSettled(this.uploads);
    super.close();
  }
}

/** Settles each row of a batch itself. */
export class DeferringSink extends TableSink {
  readonly concurrency: number = 1;

  write(batch: readonly Row[], context: WriteContext): void {
    this.check(batch);
    const receipt = context.defer();
    receipt.retain(batch.length - 1);
    const { rows } = this.table;
    for (const row of batch) {
      const place = rows.push([]) - 1;
      const put = (table: Table): void => {
        table.rows[place] = [row];
      };
      this.live.request(put, context.signal).then(
        () => receipt.settle(),
        (error: unknown) => receipt.fail(error),
      );
    }
  }
}

/** Keeps positions with the rows, in one step. */
export class KeepingSink extends TableSink {
  readonly concurrency: number = 1;
  readonly atomic: boolean = true;
  readonly keepsPositions: boolean = true;

  positions(): ReadonlyMap<string, unknown> {
    return new Map(this.table.positionsOf(this.context?.checkpoint ?? ''));
  }

  async keep(positions: ReadonlyMap<string, unknown>): Promise<void> {
    const { checkpoint } = this.context as SinkContext;
    if (checkpoint !== undefined) await this.live.request((table) => table.keep(checkpoint, positions));
  }

  async write(batch: readonly Row[], { signal, positions }: WriteContext): Promise<void> {
    this.check(batch);
    const checkpoint = this.context?.checkpoint;
    await this.live.request((table) => {
      table.insert(batch);
      if (checkpoint !== undefined && positions !== undefined) table.keep(checkpoint, positions);
    }, signal);
  }
}

export type TableSinkClass = new (table: Table, password?: string) => Sink<Row>;

/** The harness of a sink of a table, with all the means that there are. */
export function tableHarness(Plain: TableSinkClass, Keeping?: TableSinkClass): SinkHarness<Row, Table> {
  return {
    prepare: () => new Table(),
    create: (table) => new Plain(table),
    item: rowOf,
    read: (table) => table.read(),
    cleanUp: (table) => table.kill(),
    ...(Keeping === undefined ? {} : { createKeeping: (table) => new Keeping(table) }),
    createDenied: (table, secret) => new Plain(table, secret),
    badItem: (secret) => ({ id: -1, word: secret }),
    interrupt: (table) => {
      table.failsNext = true;
    },
    stall: (table) => {
      const release = table.stall();
      return async () => release();
    },
    kill: (table) => table.kill(),
    forget: (table) => {
      table.rows = [];
    },
    deadlineMs: 1000,
    largeCount: 20_000,
  };
}
