/** PostgresSink: items as rows of a table. */

import {
  type Accepted,
  runtime,
  type Sink,
  type SinkContext,
  type WriteContext,
} from '@streamweld/core/connector';
import { type Session, Sessions } from './client.ts';
import { PostgresError, sqlStateOf, toPostgresError, toWriteError } from './errors.ts';
import { type CheckedSinkOptions, checkSinkOptions, type PostgresSinkOptions } from './options.ts';
import { type EncodedPositions, encodePositions, PositionTables } from './positions.ts';
import { findRefused } from './sink-isolate.ts';
import type { Indexed } from './sink-rows.ts';
import { Statements } from './sink-statements.ts';
import { describeTable } from './sink-table.ts';

/** What makes a transaction one step, beside its rows. */
interface Kept {
  readonly name: string;
  readonly epoch: string;
}

/** How often, and how long apart, the outcome of a COMMIT is asked for when its answer was lost. */
const ASK_TIMES = 20;
const ASK_MS = 250;

/**
 * Writes items as rows: each write is one transaction, so what fails has written nothing.
 *
 * With `.checkpoint(store, name)` the positions go into the same transaction, and every row is written exactly once.
 *
 *     new PostgresSink({ connection, table: 'hits' })                                         // COPY: the fastest
 *     new PostgresSink({ connection, table: 'users', mode: 'upsert', key: 'id' })
 *     new PostgresSink({ connection, table: 'hits', columns: { at: 'time', path: (hit) => hit.url.pathname } })
 */
export class PostgresSink<T = Record<string, unknown>> implements Sink<T> {
  readonly name: string;
  readonly concurrency: number;
  readonly atomic = true;
  readonly keepsPositions = true;
  readonly batching: { readonly maxItems: number; readonly lingerMs: number };
  readonly #options: CheckedSinkOptions<T>;
  readonly #sessions: Sessions;
  readonly #tables: PositionTables;
  #statements: Statements<T> | undefined;
  #context: SinkContext | undefined;
  #kept: Kept | undefined;
  /** The last write may have been committed although it was not answered. */
  #isUncertain = false;

  constructor(options: PostgresSinkOptions<T>) {
    this.#options = checkSinkOptions(options);
    const { name, connection, client, errorDetails, writers, maxItems, lingerMs, positionsTable } =
      this.#options;
    this.name = name;
    this.concurrency = writers;
    this.batching = { maxItems, lingerMs };
    this.#sessions = new Sessions({ connection, client, errorDetails, max: writers, stage: name });
    this.#tables = new PositionTables(positionsTable, name);
  }

  async open(context: SinkContext): Promise<void> {
    this.#context = context;
    try {
      const session = await this.#sessions.acquire(context.signal);
      try {
        this.#statements = new Statements(await describeTable(session, this.#options), this.#options);
        if (context.checkpoint !== undefined) {
          await this.#tables.create(session);
          const epoch = await this.#tables.takeOver(session, context.checkpoint);
          this.#kept = { name: context.checkpoint, epoch };
        }
        session.release();
      } catch (error) {
        session.destroy();
        throw error;
      }
    } catch (error) {
      throw this.#translate(error, 'open the table');
    }
  }

  async positions(): Promise<ReadonlyMap<string, unknown>> {
    const kept = this.#kept;
    if (kept === undefined) return new Map();
    return this.#with((session) => this.#tables.load(session, kept.name), 'read the positions');
  }

  async keep(positions: ReadonlyMap<string, unknown>): Promise<void> {
    const encoded = encodePositions(positions);
    await this.#transact(undefined, encoded, undefined);
  }

  async write(batch: readonly T[], { signal, positions }: WriteContext): Promise<void | Accepted> {
    const encoded = this.#kept === undefined ? undefined : encodePositions(positions ?? new Map());
    try {
      await this.#transact({ items: batch, at: undefined }, encoded, signal);
    } catch (error) {
      const translated = toWriteError(error, undefined, this.#sessions.translation('write to Postgres'));
      // Not of the rows, and the same again cannot succeed: the run has to know, and no item is to blame.
      if (translated instanceof PostgresError && !translated.isTransient) this.#context?.fail(translated);
      throw translated;
    }
  }

  /** Rows and positions in one transaction. */
  async #transact(
    batch: Indexed<T> | undefined,
    positions: EncodedPositions | undefined,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const statements = batch === undefined ? [] : (this.#statements as Statements<T>).make(batch);
    const kept = positions === undefined ? undefined : this.#kept;
    const session = await this.#sessions.acquire(signal);
    const stopListening = session.destroyOn(signal);
    let isCommitting = false;
    try {
      if (kept === undefined && statements.length === 1) {
        await statements[0]?.(session);
        session.release();
        return;
      }
      await session.query('begin');
      if (kept !== undefined && positions !== undefined) {
        await this.#tables.hold(session, kept.name, kept.epoch);
        if (this.#isUncertain && (await this.#tables.holds(session, kept.name, positions))) {
          this.#isUncertain = false;
          await session.query('rollback');
          session.release();
          return;
        }
      }
      for (const statement of statements) await statement(session);
      if (kept !== undefined && positions !== undefined)
        await this.#tables.put(session, kept.name, positions);
      isCommitting = true;
      await session.commit();
      this.#isUncertain = false;
      session.release();
    } catch (error) {
      const isLost = session.isLost;
      if (!isLost && batch !== undefined && batch.items.length > 1 && isOfData(error)) {
        const refused = await this.#findRefused(session, batch, error);
        throw refused;
      }
      await this.#giveUp(session);
      if (isCommitting && isLost && kept !== undefined && positions !== undefined) {
        this.#isUncertain = true;
        if (await this.#wasCommitted(kept, positions, signal)) return;
      }
      throw error;
    } finally {
      stopListening();
    }
  }

  async #giveUp(session: Session): Promise<void> {
    try {
      await session.query('rollback');
      session.release();
    } catch {
      session.destroy();
    }
  }

  /** Which rows the server refuses, found in a transaction that is undone. */
  async #findRefused(session: Session, batch: Indexed<T>, error: unknown): Promise<unknown> {
    try {
      await session.query('rollback');
      const found = await findRefused(session, batch, this.#statements as Statements<T>, error);
      await this.#giveUp(session);
      return toWriteError(found.error, found.failed, this.#sessions.translation('write to Postgres'));
    } catch (later) {
      session.destroy();
      return later;
    }
  }

  /** Asks what became of a COMMIT whose answer was lost. */
  async #wasCommitted(
    kept: Kept,
    positions: EncodedPositions,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    for (let time = 1; ; time++) {
      try {
        const session = await this.#sessions.acquire(signal);
        try {
          const holds = await this.#tables.holds(session, kept.name, positions);
          this.#isUncertain = false;
          return holds;
        } finally {
          session.release();
        }
      } catch (error) {
        if (time === ASK_TIMES || signal?.aborted === true) {
          throw new PostgresError(
            'SW_POSTGRES_OUTCOME_UNKNOWN',
            `The connection was lost while ${this.name} committed, and the server does not answer whether it did. When the write is tried again, or the run is started again, that is found out first.`,
            { stage: this.name, isTransient: true, cause: this.#translate(error, 'ask for the outcome') },
          );
        }
        await pause(ASK_MS);
      }
    }
  }

  async #with<R>(use: (session: Session) => Promise<R>, action: string): Promise<R> {
    try {
      const session = await this.#sessions.acquire(this.#context?.signal);
      try {
        const result = await use(session);
        session.release();
        return result;
      } catch (error) {
        session.destroy();
        throw error;
      }
    } catch (error) {
      throw this.#translate(error, action);
    }
  }

  #translate(error: unknown, action: string): unknown {
    return toPostgresError(error, this.#sessions.translation(action));
  }

  async close(): Promise<void> {
    await this.#sessions.close();
  }
}

/** Whether the server refuses the data: codes of the classes 21, 22 and 23. */
function isOfData(error: unknown): boolean {
  return /^2[123]/.test(sqlStateOf(error) ?? '');
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => runtime.setTimer(resolve, ms));
}
