/** PostgresSink: items as rows of a table. */

import {
  type Accepted,
  isStreamWeldError,
  onAbort,
  runtime,
  type Sink,
  type SinkContext,
  type WriteContext,
} from '@streamweld/core/connector';
import { type Session, Sessions } from './client.ts';
import { isOfData, PostgresError, sqlStateOf, toPostgresError, toWriteError } from './errors.ts';
import { type CheckedSinkOptions, checkSinkOptions, type PostgresSinkOptions } from './options.ts';
import { type EncodedPositions, encodePositions, PositionTables, type WriteId } from './positions.ts';
import { findRefused, type Refused } from './sink-isolate.ts';
import type { Indexed } from './sink-rows.ts';
import { type Statement, Statements } from './sink-statements.ts';
import { describeTable, tableUnfit } from './sink-table.ts';

/** What makes a transaction one step, beside its rows. */
interface Kept {
  readonly name: string;
  readonly epoch: string;
}

/** How long the server may take to stop a statement. */
const CANCEL_MS = 5000;

/** ON CONFLICT would change a row a second time: two rows of a batch have one key. */
const TWICE = '21000';

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
export class PostgresSink<T = object> implements Sink<T> {
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
  #writes = 0;
  readonly #canceling = new Set<Promise<void>>();
  /** Writes that may have been committed although they were not answered, by where they stand. */
  readonly #uncertain = new Map<string, WriteId>();

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
      if (context.signal.aborted) throw context.signal.reason;
      throw this.#translate(error, 'open the table');
    }
  }

  async positions(): Promise<ReadonlyMap<string, unknown>> {
    const kept = this.#kept;
    if (kept === undefined) return new Map();
    return this.#sessions.lend(
      'read the positions',
      (session) => this.#tables.load(session, kept.name),
      this.#context?.signal,
    );
  }

  async keep(positions: ReadonlyMap<string, unknown>): Promise<void> {
    const encoded = encodePositions(positions);
    try {
      await this.#transact([], encoded, this.#context?.signal);
    } catch (error) {
      throw this.#translate(error, 'keep the positions');
    }
  }

  async write(batch: readonly T[], { signal, positions }: WriteContext): Promise<void | Accepted> {
    const encoded = this.#kept === undefined ? undefined : encodePositions(positions ?? new Map());
    try {
      await this.#transact([{ items: batch, at: undefined }], encoded, signal);
    } catch (error) {
      const failed = batch.length === 1 ? [0] : undefined;
      const unfit = tableUnfit(error, this.#options);
      const translated =
        unfit ?? toWriteError(error, failed, this.#sessions.translation('write to Postgres'));
      // Not of the rows, and the same again cannot succeed: the run has to know, and no item is to blame.
      if (translated instanceof PostgresError && !translated.isTransient) this.#context?.fail(translated);
      throw translated;
    }
  }

  /** Rows, a batch or the parts of one, and positions in one transaction. */
  async #transact(
    parts: readonly Indexed<T>[],
    positions: EncodedPositions | undefined,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const statements = parts.flatMap((part) => (this.#statements as Statements<T>).make(part));
    const kept = positions === undefined ? undefined : this.#kept;
    const session = await this.#sessions.acquire(signal);
    const stopListening = this.#cutOffBy(signal, session);
    let committing: WriteId | undefined;
    try {
      if (kept === undefined || positions === undefined) {
        await this.#write(session, statements);
      } else {
        const before = this.#uncertain.get(placeOf(positions));
        await session.query('begin');
        await this.#tables.hold(session, kept.name, kept.epoch, before !== undefined);
        if (before !== undefined && (await this.#tables.holds(session, kept.name, positions, before))) {
          this.#uncertain.delete(placeOf(positions));
          await session.query('rollback');
          session.release();
          return;
        }
        for (const statement of statements) await statement(session);
        const write = `${kept.epoch}:${++this.#writes}`;
        await this.#tables.put(session, kept.name, positions, write);
        committing = write;
        await session.commit();
        this.#uncertain.delete(placeOf(positions));
      }
      session.release();
    } catch (error) {
      const { isLost } = session;
      const making = this.#statements as Statements<T>;
      if (!isLost && sqlStateOf(error) === TWICE && !making.areKeysLookedFor) {
        making.areKeysLookedFor = true;
        await this.#giveUp(session);
        await this.#transact(parts, positions, signal);
        return;
      }
      const [batch] = parts;
      if (!isLost && parts.length === 1 && batch !== undefined && batch.items.length > 1 && isOfData(error)) {
        await this.#transact(await this.#findTaken(session, batch), positions, signal);
        return;
      }
      await this.#giveUp(session);
      if (committing !== undefined && isLost && kept !== undefined && positions !== undefined) {
        this.#uncertain.set(placeOf(positions), committing);
        if (await this.#wasCommitted(kept, positions, committing, signal)) return;
      }
      throw error;
    } finally {
      stopListening();
    }
  }

  /** All of a batch or nothing. */
  async #write(session: Session, statements: readonly Statement[]): Promise<void> {
    const isTransaction = statements.length > 1 || (this.#statements as Statements<T>).isUndone;
    if (isTransaction) await session.query('begin');
    for (const statement of statements) await statement(session);
    if (isTransaction) await session.commit();
  }

  /** Ends what a session does once the signal aborts; a statement that waits for a lock would not notice that by itself. */
  #cutOffBy(signal: AbortSignal | undefined, session: Session): () => void {
    if (signal === undefined) return () => {};
    return onAbort(signal, () => {
      const canceling = session.isBusy ? this.#sessions.cancel(session, CANCEL_MS) : undefined;
      if (canceling !== undefined) this.#canceling.add(canceling);
      void canceling?.finally(() => this.#canceling.delete(canceling));
      session.destroy();
    });
  }

  async #giveUp(session: Session): Promise<void> {
    try {
      await session.query('rollback');
      session.release();
    } catch {
      session.destroy();
    }
  }

  /**
   * Which rows the server refuses, found in a transaction that is undone.
   * @returns where it refuses none, the parts that it takes.
   * @throws PostgresRowError
   */
  async #findTaken(session: Session, batch: Indexed<T>): Promise<readonly Indexed<T>[]> {
    let found: Refused | readonly Indexed<T>[];
    try {
      await session.query('rollback');
      found = await findRefused(session, batch, this.#statements as Statements<T>);
    } catch (error) {
      session.destroy();
      throw error;
    }
    await this.#giveUp(session);
    if (!('failed' in found)) return found;
    const translation = this.#sessions.translation('write to Postgres');
    // The server's words are of the first row: in the dead letter of another they would be another's data.
    const errorDetails = translation.errorDetails && found.failed.length === 1;
    throw toWriteError(found.error, found.failed, { ...translation, errorDetails });
  }

  /** Asks what became of a COMMIT whose answer was lost. */
  async #wasCommitted(
    kept: Kept,
    positions: EncodedPositions,
    write: WriteId,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    for (let time = 1; ; time++) {
      try {
        const session = await this.#sessions.acquire(signal);
        const stopListening = this.#cutOffBy(signal, session);
        try {
          await session.query('begin');
          // Waits for the transaction itself: the server may still be at it.
          await this.#tables.hold(session, kept.name, kept.epoch, true);
          const holds = await this.#tables.holds(session, kept.name, positions, write);
          await session.query('rollback');
          session.release();
          this.#uncertain.delete(placeOf(positions));
          return holds;
        } catch (error) {
          session.destroy();
          throw error;
        } finally {
          stopListening();
        }
      } catch (error) {
        if (isStreamWeldError(error) && error.code === 'SW_CHECKPOINT_FENCED') throw error;
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

  #translate(error: unknown, action: string): unknown {
    return toPostgresError(error, this.#sessions.translation(action));
  }

  async close(): Promise<void> {
    await Promise.all(this.#canceling);
    await this.#sessions.close();
  }
}

/** By its lanes and positions a write is known when it is tried again. */
function placeOf({ lanes, texts }: EncodedPositions): string {
  return JSON.stringify([lanes, texts]);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => runtime.setTimer(resolve, ms));
}
