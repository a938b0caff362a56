/**
 * The rows that were there before the changes: table after table, each in the order of its primary key.
 *
 * A run that is killed on the way goes on behind the last key that was committed, in a later state than the one it began
 * with; what changed in between comes again as changes, since those begin where the first state was.
 */

import type { Change } from './changes.ts';
import type { Session, Sessions } from './client.ts';
import type { TypeParsers } from './connection.ts';
import { PostgresError, sqlStateOf } from './errors.ts';
import { quoteIdentifier, quoteTable } from './identifiers.ts';
import type { KeyValue } from './options.ts';
import type { PublishedTable } from './publication.ts';
import { beginReading } from './reading.ts';
import { comparePositions, ResumeKey } from './source-key.ts';
import { LaneReader } from './source-reader.ts';
import { type JsonMode, loadParsers } from './types.ts';

/** What the server says of a snapshot that is not there any more, which differs by its version and by the moment. */
const GONE = new Set(['22023', '42704', '55000']);

export interface SnapshotPlace {
  readonly schema: string;
  readonly table: string;
  /** Behind this key; `null` at the beginning, and where the table has no key. */
  readonly key: readonly KeyValue[] | null;
  /** The types of the key's columns, by their oids: places are compared by them. */
  readonly types: readonly number[];
  /** So many rows are done, of all tables. */
  readonly rows: number;
}

/**
 * In the order of reading. Not by the rows that were read: what is deleted between two runs makes them fewer, and a place
 * would seem to lie behind what it does not.
 * @throws PostgresError SW_POSTGRES_KEY_INVALID where the order of a key is only known to the server.
 */
export function compareSnapshotPlaces(a: SnapshotPlace, b: SnapshotPlace, stage: string): number {
  const byTable =
    Buffer.compare(Buffer.from(a.schema), Buffer.from(b.schema)) ||
    Buffer.compare(Buffer.from(a.table), Buffer.from(b.table));
  if (byTable !== 0) return byTable;
  // A table without a key is read from its beginning again: there is nothing else to go by.
  if (a.key === null && b.key === null) return a.rows - b.rows;
  return comparePositions(a, b, stage);
}

export interface SnapshotPart {
  readonly changes: readonly Change[];
  readonly place: SnapshotPlace;
}

export class SnapshotReader {
  readonly #tables: readonly PublishedTable[];
  readonly #json: JsonMode;
  readonly #stage: string;
  #at: number;
  #from: readonly KeyValue[] | null;
  #count: number;
  #session: Session | undefined;
  #types: TypeParsers | undefined;
  #reader: LaneReader | undefined;

  /** @throws PostgresError SW_POSTGRES_POSITION_INVALID where the table to go on with is not published any more. */
  constructor(
    tables: readonly PublishedTable[],
    from: SnapshotPlace | undefined,
    json: JsonMode,
    stage: string,
  ) {
    this.#tables = tables;
    this.#json = json;
    this.#stage = stage;
    this.#from = from?.key ?? null;
    this.#count = from?.rows ?? 0;
    this.#at =
      from === undefined
        ? 0
        : tables.findIndex(({ schema, table }) => schema === from.schema && table === from.table);
    if (this.#at >= 0) return;
    throw new PostgresError(
      'SW_POSTGRES_POSITION_INVALID',
      `${stage} was reading a table when it stopped, and that table is not published any more. Publish it again, or give the checkpoint another name to begin anew.`,
      { stage },
    );
  }

  async open(sessions: Sessions, snapshot: string | undefined, signal: AbortSignal): Promise<void> {
    const session = await sessions.acquire(signal);
    this.#session = session;
    try {
      await beginReading(session, snapshot);
      // A policy that is made from now on is an error, where it would leave rows out without a word.
      await session.query('set local row_security to off');
    } catch (error) {
      throw snapshot !== undefined && GONE.has(sqlStateOf(error) ?? '') ? this.#gone(error) : error;
    }
    this.#types = await loadParsers(session, this.#json);
    await this.#next();
  }

  #gone(error: unknown): PostgresError {
    return new PostgresError(
      'SW_POSTGRES_CONNECTION_LOST',
      `${this.#stage} cannot read what was there: the connection that kept it ended. Run it again.`,
      { stage: this.#stage, isTransient: true, sqlState: sqlStateOf(error) },
    );
  }

  async #next(): Promise<void> {
    const table = this.#tables[this.#at];
    if (table === undefined) return;
    const session = this.#session as Session;
    const columns = table.columns.map(quoteIdentifier).join(', ');
    // Tables that inherit from it are published by themselves, and their rows are read there.
    const from = `${table.isPartitioned ? '' : 'only '}${quoteTable(table)}`;
    const base = `select ${columns} from ${from}`;
    const conditions = table.filter === null ? [] : [`(${table.filter})`];
    const isKeyed = table.key.length > 0 && table.key.every((column) => table.columns.includes(column));
    let key: ResumeKey | undefined;
    const values: unknown[] = [];
    let order = '';
    if (isKeyed) {
      const names = table.key.map(quoteIdentifier).join(', ');
      const { fields } = await session.query(`select ${names} from ${from} limit 0`);
      key = new ResumeKey(
        table.key,
        fields.map(({ dataTypeID }) => dataTypeID),
        this.#stage,
      );
      order = ` order by ${names}`;
      if (this.#from !== null) {
        values.push(...this.#from);
        conditions.push(`(${names}) > (${this.#from.map((_, at) => `$${at + 1}`).join(', ')})`);
      }
    }
    const where = conditions.length === 0 ? '' : ` where ${conditions.join(' and ')}`;
    const statement = { text: `${base}${where}${order}`, values };
    const plan =
      key === undefined ? statement : { lane: '', statement, from: { key: this.#from, types: key.oids } };
    this.#reader = new LaneReader(session, this.#types as TypeParsers, plan, key);
    this.#from = null;
  }

  /** Up to so many rows, of one table; undefined after the last. */
  async read(demand: number): Promise<SnapshotPart | undefined> {
    for (;;) {
      const reader = this.#reader;
      const table = this.#tables[this.#at];
      if (reader === undefined || table === undefined) return undefined;
      while (!reader.canTake(demand) && !reader.isDone) await reader.fetch();
      if (reader.isDone) {
        await reader.close();
        this.#at += 1;
        this.#reader = undefined;
        await this.#next();
        continue;
      }
      const { items, position } = reader.take(demand);
      const { schema, table: name } = table;
      this.#count += items.length;
      return {
        changes: items.map((row) => ({
          kind: 'insert',
          schema,
          table: name,
          new: row,
          old: null,
          transaction: undefined,
        })),
        place: {
          schema,
          table: name,
          key: position?.key ?? null,
          types: position?.types ?? [],
          rows: this.#count,
        },
      };
    }
  }

  async close(): Promise<void> {
    const session = this.#session;
    const reader = this.#reader;
    this.#session = undefined;
    this.#reader = undefined;
    if (session === undefined) return;
    if (session.isBusy) {
      session.destroy();
      return;
    }
    try {
      // What is asked of a session with an open cursor waits for the cursor.
      await reader?.close();
      await session.query('rollback');
      session.release();
    } catch {
      session.destroy();
    }
  }
}
