/** PostgresSource: the rows of a query or a table as a source of items. */

import {
  Deferred,
  onAbort,
  type Positioned,
  type Source,
  type SourceContext,
} from '@streamweld/core/connector';
import { Sessions, type Session } from './client.ts';
import { PostgresError, sqlStateOf, toPostgresError } from './errors.ts';
import { type CheckedSourceOptions, checkSourceOptions, type PostgresSourceOptions } from './options.ts';
import { checkPosition, comparePositions, type PostgresPosition, positionInvalid } from './source-key.ts';
import { describeKey, planLanes, planWhole } from './source-plan.ts';
import { LaneReader } from './source-reader.ts';
import { beginReading } from './reading.ts';
import { loadParsers } from './types.ts';

/** How long the server may take to stop a statement before its connection is cut off. */
const CANCEL_MS = 5000;

/** `cannot execute … in a read-only transaction`. */
const READ_ONLY = '25006';

/**
 * Reads the rows that a query answers, or those of a table, by a server-side cursor: memory holds a few thousand of them,
 * however many there are. All of it is one snapshot, also where several readers share it.
 *
 * With a `resumeKey` every batch has a position, and a later run goes on behind the last row that was committed.
 *
 *     new PostgresSource({ connection, query: 'select * from orders where id > $1', resumeKey: 'id' })
 *     new PostgresSource({ connection, table: 'orders', resumeKey: ['created_at', 'id'], readers: 4 })
 */
export class PostgresSource<T = Record<string, unknown>> implements Source<T, PostgresPosition> {
  readonly name: string;
  readonly #options: CheckedSourceOptions;
  readonly #sessions: Sessions;
  readonly #held = new Set<Session>();
  #readers: LaneReader[] = [];
  #next = 0;
  /** A pull that waits for rows. */
  #waiting: { readonly demand: number; readonly answer: Deferred<Answer<T>> } | undefined;
  #failure: { readonly error: unknown } | undefined;
  #isStopped = false;
  #isResumed = false;
  #stopListening: (() => void) | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: PostgresSourceOptions) {
    this.#options = checkSourceOptions(options);
    this.name = this.#options.name;
    const { connection, client, errorDetails, readers, name } = this.#options;
    this.#sessions = new Sessions({ connection, client, errorDetails, max: readers, stage: name });
  }

  async open({ positions, signal }: SourceContext<PostgresPosition>): Promise<void> {
    const { resumeKey, name } = this.#options;
    const checked = new Map<string, PostgresPosition>();
    for (const [lane, position] of positions) checked.set(lane, checkPosition(position, resumeKey, name));
    this.#isResumed = checked.size > 0;
    this.#stopListening = onAbort(signal, () => {
      this.stop();
      void this.close(signal.reason).catch(() => {});
    });
    try {
      const first = await this.#begin(signal);
      const types = await loadParsers(first, this.#options.json);
      if (resumeKey === undefined) {
        this.#readers = [new LaneReader(first, types, planWhole(this.#options), undefined)];
      } else {
        const key = await describeKey(first, this.#options);
        const plans = await planLanes(first, this.#options, key, checked);
        const snapshot = plans.length > 1 ? await exportSnapshot(first) : undefined;
        for (const plan of plans) {
          const session = this.#readers.length === 0 ? first : await this.#begin(signal, snapshot);
          this.#readers.push(new LaneReader(session, types, plan, key));
        }
      }
      // The first rows are on their way before they are asked for; and what is wrong with the query is told by `open`.
      await Promise.all(this.#readers.map((reader) => reader.fetch() ?? Promise.resolve()));
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      throw this.#translate(error);
    }
  }

  /** A session inside a transaction that changes nothing and sees one state. */
  async #begin(signal: AbortSignal, snapshot?: string): Promise<Session> {
    const session = await this.#sessions.acquire(signal);
    this.#held.add(session);
    await beginReading(session, snapshot);
    return session;
  }

  pull(demand: number): Answer<T> | Promise<Answer<T>> {
    if (this.#failure !== undefined) throw this.#failure.error;
    const ready = this.#take(demand);
    if (ready !== undefined || this.#isDone) return ready;
    const answer = new Deferred<Answer<T>>();
    this.#waiting = { demand, answer };
    this.#fetch();
    return answer.promise;
  }

  get #isDone(): boolean {
    return this.#isStopped || this.#readers.every((reader) => reader.isDone);
  }

  /** What some lane has, the lanes taking turns. */
  #take(demand: number): Answer<T> {
    for (let tried = 0; tried < this.#readers.length; tried++) {
      const reader = this.#readers[this.#next % this.#readers.length] as LaneReader;
      this.#next += 1;
      if (!reader.canTake(demand)) continue;
      const { items, position } = reader.take(demand);
      this.#fetch();
      const batch = items as readonly T[];
      return position === undefined ? batch : { items: batch, position, lane: reader.lane };
    }
    return undefined;
  }

  #fetch(): void {
    for (const reader of this.#readers) {
      reader.fetch()?.then(
        () => this.#serve(),
        (error: unknown) => {
          // A cursor whose source was stopped ends in an error of no interest.
          if (!this.#isStopped) this.#failure ??= { error: this.#translate(error) };
          this.#serve();
        },
      );
    }
  }

  /** Answers the pull that waits, if there is something to answer. */
  #serve(): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    if (this.#failure !== undefined) {
      this.#waiting = undefined;
      waiting.answer.reject(this.#failure.error);
      return;
    }
    let ready: Answer<T>;
    try {
      ready = this.#isStopped ? undefined : this.#take(waiting.demand);
    } catch (error) {
      this.#waiting = undefined;
      waiting.answer.reject(error);
      return;
    }
    if (ready === undefined && !this.#isDone) {
      this.#fetch();
      return;
    }
    this.#waiting = undefined;
    waiting.answer.resolve(ready);
  }

  stop(): void {
    this.#isStopped = true;
    this.#serve();
  }

  comparePositions(a: PostgresPosition, b: PostgresPosition): number {
    return comparePositions(a, b, this.name);
  }

  async close(_reason?: unknown): Promise<void> {
    this.#closing ??= this.#close();
    await this.#closing;
    // What `open` was given while it was being closed.
    await Promise.all([...this.#held].map((session) => this.#leave(session)));
  }

  async #close(): Promise<void> {
    this.#stopListening?.();
    this.stop();
    await Promise.all([...this.#held].map((session) => this.#leave(session)));
    await this.#sessions.close();
  }

  /** Gives a session back as it was, or ends it where the server is still at work for it. */
  async #leave(session: Session): Promise<void> {
    this.#held.delete(session);
    const reader = this.#readers.find((each) => each.session === session);
    if (session.isBusy) {
      await this.#sessions.cancel(session, CANCEL_MS);
      session.destroy();
      return;
    }
    try {
      await reader?.close();
      await session.query('rollback');
      session.release();
    } catch {
      session.destroy();
    }
  }

  #translate(error: unknown): unknown {
    const { resumeKey, name } = this.#options;
    // A value that the server cannot read as its key's type: no run of this source can have committed it.
    if (this.#isResumed && sqlStateOf(error)?.startsWith('22') === true)
      return positionInvalid(name, resumeKey);
    if (sqlStateOf(error) === READ_ONLY) {
      return new PostgresError(
        'SW_POSTGRES_QUERY_INVALID',
        `The query of ${name} writes, or locks rows, and a source only reads (SQLSTATE ${READ_ONLY}).`,
        { stage: name, sqlState: READ_ONLY },
      );
    }
    return toPostgresError(error, this.#sessions.translation('read from Postgres'));
  }
}

type Answer<T> = readonly T[] | Positioned<T, PostgresPosition> | undefined;

async function exportSnapshot(session: Session): Promise<string> {
  const { rows } = await session.query('select pg_export_snapshot() as snapshot');
  return (rows[0] as { snapshot: string }).snapshot;
}
