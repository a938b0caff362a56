/** Sinks of a table that keep their contract, one of each kind. */

import type { Accepted, Awaitable, Sink, SinkContext, WriteContext } from '@streamweld/core';
import { Deferred, WriteError } from '@streamweld/core/connector';
import type { SinkHarness } from '@streamweld/testing';
import { type Connection, type Row, rowOf, Table } from './table.ts';

/** So many items are accepted and not durable at most. */
const ROOM = 5000;

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

  open(context: SinkContext): Awaitable<void> {
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
    return this.isFull ? this.flush().then(() => this.gather(batch)) : this.gather(batch);
  }

  protected get isFull(): boolean {
    return this.gathered.reduce((count, rows) => count + rows.length, 0) >= ROOM;
  }

  protected gather(batch: readonly Row[]): Accepted {
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

const MOST_UPLOADS = 8;

/** Uploads in the background, several at once, which come to their end in any order; each has its place. */
export class UploadSink extends TableSink {
  readonly concurrency: number = 4;
  readonly atomic: boolean = true;
  readonly uploads = new Set<Promise<void>>();

  write(batch: readonly Row[], { signal }: WriteContext): Awaitable<void | Accepted> {
    this.check(batch);
    return this.isFull
      ? Promise.race(this.uploads).then(() => this.begin(batch, signal))
      : this.begin(batch, signal);
  }

  protected get isFull(): boolean {
    return this.uploads.size >= MOST_UPLOADS;
  }

  protected begin(batch: readonly Row[], signal: AbortSignal): Accepted {
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
  readonly outstanding = new Set<Promise<void>>();

  write(batch: readonly Row[], context: WriteContext): Awaitable<void> {
    this.check(batch);
    if (this.outstanding.size < ROOM) return this.pass(batch, context);
    return Promise.race(this.outstanding).then(() => this.pass(batch, context));
  }

  protected pass(batch: readonly Row[], context: WriteContext): void {
    const receipt = context.defer();
    receipt.retain(batch.length - 1);
    const { rows } = this.table;
    for (const row of batch) {
      const place = rows.push([]) - 1;
      const put = (table: Table): void => {
        table.rows[place] = [row];
      };
      const done = this.live.request(put, context.signal).then(
        () => receipt.settle(),
        (error: unknown) => receipt.fail(error),
      );
      this.outstanding.add(done);
      void done.then(() => this.outstanding.delete(done));
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

/** Passes each row on to one of two tables, each of which keeps positions: it may get ahead of the other. */
export class TwofoldSink extends TableSink {
  readonly concurrency: number = 1;
  readonly keepsPositions: boolean = true;

  positions(): ReadonlyMap<string, unknown> {
    const [one, other] = this.held;
    const least = [...one].flatMap(([lane, position]): [string, unknown][] => {
      const another = other.get(lane);
      if (another === undefined) return [];
      return [[lane, this.compare(lane, position, another) < 0 ? position : another]];
    });
    return new Map(least);
  }

  ahead(): ReadonlyMap<string, unknown> {
    const [one, other] = this.held;
    const furthest = new Map<string, unknown>();
    for (const lane of new Set([...one.keys(), ...other.keys()])) {
      const [a, b] = [one.get(lane), other.get(lane)];
      if (a === undefined || b === undefined) furthest.set(lane, a ?? b);
      else if (this.compare(lane, a, b) !== 0) furthest.set(lane, this.compare(lane, a, b) < 0 ? b : a);
    }
    return furthest;
  }

  async keep(positions: ReadonlyMap<string, unknown>): Promise<void> {
    await this.write([], { positions, signal: (this.context as SinkContext).signal });
  }

  async write(
    batch: readonly Row[],
    { signal, positions }: Pick<WriteContext, 'signal' | 'positions'>,
  ): Promise<void> {
    this.check(batch);
    const checkpoint = this.context?.checkpoint;
    for (const [index, name] of this.names.entries()) {
      const rows = batch.filter(({ id }) => id % this.names.length === index);
      // Another step, so that one may be there without the other.
      await this.live.request((table) => {
        if (checkpoint !== undefined && positions !== undefined) {
          if (this.has(name, positions)) return;
          table.keep(name, positions);
        }
        if (rows.length > 0) table.insert(rows);
      }, signal);
    }
  }

  protected get names(): readonly [string, string] {
    const name = this.context?.checkpoint ?? '';
    return [`${name} of one`, `${name} of the other`];
  }

  protected get held(): readonly [ReadonlyMap<string, unknown>, ReadonlyMap<string, unknown>] {
    const [one, other] = this.names;
    return [this.table.positionsOf(one), this.table.positionsOf(other)];
  }

  /** A table had the whole of a write before. */
  protected has(name: string, positions: ReadonlyMap<string, unknown>): boolean {
    const held = this.table.positionsOf(name);
    const moved = [...positions];
    return (
      moved.length > 0 &&
      moved.every(([lane, position]) => {
        const before = held.get(lane);
        return before !== undefined && this.compare(lane, before, position) >= 0;
      })
    );
  }

  protected compare(lane: string, a: unknown, b: unknown): number {
    return this.context?.comparePositions?.(lane, a, b) ?? 0;
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
