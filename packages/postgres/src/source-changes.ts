/** PostgresChangeSource: what changes in tables, in the order of its commits, after what was there. */

import {
  Deferred,
  onAbort,
  type Positioned,
  runtime,
  type Source,
  type SourceContext,
} from '@streamweld/core/connector';
import {
  type CheckedChangeOptions,
  checkChangeOptions,
  type PostgresChangeSourceOptions,
} from './change-options.ts';
import { type ChangePosition, checkChangePosition, compareChangePositions } from './change-position.ts';
import { ChangeQueue } from './change-queue.ts';
import { type Change, ChangeDecoder } from './changes.ts';
import { Sessions } from './client.ts';
import { sqlStateOf, toPostgresError } from './errors.ts';
import { parseLsn } from './lsn.ts';
import { checkReadable, ensurePublication, type PublishedTable, publishedTables } from './publication.ts';
import { type CreatedSlot, Replication, type ReplicationHandlers, serverStopping } from './replication.ts';
import {
  beingMade,
  BUSY,
  explainSlot,
  logBehind,
  readMadeSlot,
  slotGone,
  slotLost,
  THERE_ALREADY,
} from './slot.ts';
import { SlotWatch } from './slot-watch.ts';
import { SnapshotReader } from './source-snapshot.ts';
import { loadParsers } from './types.ts';

/** How long the server may take to stop a command. */
const CANCEL_MS = 5000;

/** `replication slot "…" is active for PID …`. */
const IN_USE = '55006';

/**
 * Changes of tables by logical replication: inserts, updates, deletes and truncates, transaction by transaction, each once,
 * in the order in which they were committed. A run that has no position hands out the rows that are there first. It makes
 * the slot and goes over to the changes at that very point of the log, with no gap and no overlap; where the slot is there
 * already, changes that these rows have in them come again.
 *
 * The server keeps the log from the last position that was committed, so nothing is missed while nobody reads.
 *
 *     new PostgresChangeSource({ connection, slot: 'search', publication: 'search', tables: ['products'] })
 */
export class PostgresChangeSource implements Source<Change, ChangePosition> {
  readonly name: string;
  readonly #options: CheckedChangeOptions;
  readonly #sessions: Sessions;
  readonly #watch: SlotWatch;
  #replication: Replication | undefined;
  #decoder: ChangeDecoder | undefined;
  #snapshot: SnapshotReader | undefined;
  /** Where the run begins, and then where it stands in the snapshot. */
  #position: ChangePosition = { lsn: '0/0' };
  /** Once changes are asked for. */
  #queue: ChangeQueue | undefined;
  #isPaused = false;
  /** Up to here there was nothing that concerns us. */
  #idleLsn: string | undefined;
  #beatAt = 0;
  #pull: { readonly demand: number; readonly answer: Deferred<Answer> } | undefined;
  #failure: { readonly error: unknown } | undefined;
  #isStopped = false;
  #beating: unknown;
  #isMakingSlot = false;
  #leaving: Promise<void> | undefined;
  #stopListening: (() => void) | undefined;

  constructor(options: PostgresChangeSourceOptions) {
    this.#options = checkChangeOptions(options);
    this.name = this.#options.name;
    const { connection, errorDetails, name } = this.#options;
    this.#sessions = new Sessions({ connection, client: undefined, errorDetails, max: 2, stage: name });
    this.#watch = new SlotWatch(this.#sessions, this.#options, () =>
      this.#replication?.giveUp(serverStopping(name)),
    );
  }

  async open({ positions, signal }: SourceContext<ChangePosition>): Promise<void> {
    this.#stopListening = onAbort(signal, () => {
      this.stop();
      void this.#leave();
    });
    const from = positions.get('');
    if (from !== undefined) checkChangePosition(from, this.name);
    try {
      await this.#open(from, signal);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      throw this.#translate(error);
    }
  }

  async #open(from: ChangePosition | undefined, signal: AbortSignal): Promise<void> {
    const { slot, publication, tables, snapshot, json, name, connection, isTemporary } = this.#options;
    const session = await this.#sessions.acquire(signal);
    let all: readonly PublishedTable[];
    try {
      await ensurePublication(session, publication, tables, name);
      all = await publishedTables(session, publication);
      const hasSnapshot = from === undefined ? snapshot : from.snapshot !== undefined;
      if (hasSnapshot) checkReadable(all, name);
      this.#decoder = new ChangeDecoder(await loadParsers(session, json));
      let state = isTemporary ? undefined : await readMadeSlot(session, slot, name, signal);
      // Whoever left has closed what there was: what is opened from here on would stay open.
      signal.throwIfAborted();
      const replication = new Replication(connection, name);
      this.#replication = replication;
      await replication.connect().catch((error: unknown) => {
        throw explainSlot(error, this.#options);
      });
      if (state === undefined) {
        if (from !== undefined) throw slotGone(slot, name);
        const made = await this.#makeSlot(replication);
        if (made !== undefined) {
          this.#position = { lsn: made.lsn };
          // What is exported is readable until this connection is asked for changes.
          if (hasSnapshot) await this.#beginSnapshot(all, undefined, made.snapshot, signal);
        } else {
          state = await readMadeSlot(session, slot, name, signal);
          if (state === undefined) throw beingMade(slot, name);
        }
      }
      if (state !== undefined) {
        if (state.isLost) throw slotLost(slot, name);
        if (from !== undefined && parseLsn(from.lsn) > parseLsn(state.end))
          throw logBehind(state.end, from.lsn, name);
        this.#position = from ?? { lsn: state.confirmed };
        // An earlier run may have made the slot and handed out nothing, or not all: who has no position has to begin.
        if (hasSnapshot) await this.#beginSnapshot(all, from?.snapshot, undefined, signal);
      }
    } finally {
      session.release();
    }
    if (this.#snapshot === undefined) await this.#stream();
    this.#watch.begin();
  }

  /** Undefined where another run was quicker by a moment. */
  async #makeSlot(replication: Replication): Promise<CreatedSlot | undefined> {
    const { slot, isTemporary } = this.#options;
    this.#isMakingSlot = true;
    try {
      return await replication.createSlot(slot, isTemporary);
    } catch (error) {
      if (!isTemporary && sqlStateOf(error) === THERE_ALREADY) return undefined;
      throw explainSlot(error, this.#options);
    } finally {
      this.#isMakingSlot = false;
    }
  }

  async #beginSnapshot(
    tables: readonly PublishedTable[],
    from: ChangePosition['snapshot'],
    snapshot: string | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const reader = new SnapshotReader(tables, from, this.#options.json, this.name);
    await reader.open(this.#sessions, snapshot, signal);
    this.#snapshot = reader;
  }

  async #stream(): Promise<void> {
    const { slot, publication, maxWaiting } = this.#options;
    const { lsn, partial } = this.#position;
    const replication = this.#replication as Replication;
    const decoder = this.#decoder as ChangeDecoder;
    const queue = new ChangeQueue({ lsn, partial }, maxWaiting);
    this.#queue = queue;
    this.#beatAt = runtime.now();
    const handlers: ReplicationHandlers = {
      onMessage: (message) => this.#receive(message, decoder, queue),
      onIdle: (idleLsn, isUrgent) => {
        this.#idleLsn = idleLsn;
        if (isUrgent) this.#beatAt = -Infinity;
        this.#serve();
      },
      onEnd: (error) => this.#fail(explainSlot(error, this.#options)),
    };
    for (let time = 1; ; time++) {
      try {
        await replication.start(slot, publication, lsn, handlers);
        break;
      } catch (error) {
        if (sqlStateOf(error) !== IN_USE || time === BUSY.times || this.#isStopped)
          throw explainSlot(error, this.#options);
        await new Promise<void>((resolve) => runtime.setTimer(resolve, BUSY.ms));
      }
    }
    this.#beat();
  }

  #receive(message: Buffer, decoder: ChangeDecoder, queue: ChangeQueue): void {
    try {
      for (const logged of decoder.decode(message)) queue.put(logged, message.length);
    } catch (error) {
      this.#fail(error);
      return;
    }
    if (!this.#isPaused && queue.isFull(1)) {
      this.#isPaused = true;
      this.#replication?.pause();
      this.#watch.pause();
    }
    this.#serve();
  }

  pull(demand: number): Answer | Promise<Answer> {
    const ready = this.#take(demand);
    if (ready !== undefined) return ready;
    if (this.#failure !== undefined) throw this.#failure.error;
    if (this.#isStopped) return undefined;
    const answer = new Deferred<Answer>();
    this.#pull = { demand, answer };
    if (this.#snapshot !== undefined) this.#readSnapshot(demand);
    return answer.promise;
  }

  /** Rows of the snapshot, and after the last of them the changes. */
  #readSnapshot(demand: number): void {
    const snapshot = this.#snapshot as SnapshotReader;
    void (async () => {
      try {
        const part = await snapshot.read(demand);
        if (part === undefined) {
          await snapshot.close();
          this.#snapshot = undefined;
          await this.#stream();
          this.#answer({ items: [], position: { lsn: this.#position.lsn } });
          return;
        }
        this.#position = { ...this.#position, snapshot: part.place };
        this.#answer({ items: part.changes, position: this.#position });
      } catch (error) {
        this.#fail(error);
      }
    })();
  }

  #take(demand: number): Answer {
    const queue = this.#queue;
    if (queue === undefined) return undefined;
    const taken = queue.take(demand);
    if (taken === undefined) return this.#takeIdle(queue);
    if (this.#isPaused && !queue.isFull(0.5)) {
      this.#isPaused = false;
      this.#replication?.resume();
      this.#watch.resume();
    }
    return taken;
  }

  #takeIdle(queue: ChangeQueue): Answer {
    const lsn = this.#idleLsn;
    if (lsn === undefined || runtime.now() - this.#beatAt < this.#options.heartbeatMs) return undefined;
    const moved = queue.moveTo(lsn);
    if (moved !== undefined) this.#beatAt = runtime.now();
    return moved;
  }

  #beat(): void {
    if (this.#isStopped) return;
    this.#beating = runtime.setTimer(() => {
      this.#serve();
      this.#beat();
    }, this.#options.heartbeatMs);
  }

  #serve(): void {
    if (this.#pull === undefined || this.#snapshot !== undefined) return;
    const ready = this.#take(this.#pull.demand);
    if (ready !== undefined) this.#answer(ready);
    else if (this.#isStopped) this.#answer(undefined);
  }

  #answer(answer: Answer): void {
    const pull = this.#pull;
    this.#pull = undefined;
    pull?.answer.resolve(answer);
  }

  #fail(error: unknown): void {
    if (this.#isStopped || this.#failure !== undefined) return;
    this.#failure = { error: this.#translate(error) };
    const pull = this.#pull;
    this.#pull = undefined;
    pull?.answer.reject(this.#failure.error);
  }

  commit(positions: ReadonlyMap<string, ChangePosition>): void {
    const position = positions.get('');
    if (position !== undefined && position.snapshot === undefined) this.#replication?.confirm(position.lsn);
  }

  comparePositions(a: ChangePosition, b: ChangePosition): number {
    return compareChangePositions(a, b, this.name);
  }

  stop(): void {
    this.#isStopped = true;
    if (this.#beating !== undefined) runtime.clearTimer(this.#beating);
    this.#watch.end();
    this.#serve();
    if (this.#pull !== undefined) this.#answer(undefined);
  }

  async close(): Promise<void> {
    this.stop();
    this.#stopListening?.();
    this.#queue?.clear();
    await this.#leave();
    await this.#sessions.close();
  }

  async #leave(): Promise<void> {
    this.#leaving ??= (async () => {
      const replication = this.#replication;
      const pid = replication?.processId;
      // Making a slot waits for every transaction that is under way: the server is told that nobody waits any more.
      if (pid !== undefined && this.#isMakingSlot) await this.#sessions.cancelProcess(pid, CANCEL_MS);
      await this.#snapshot?.close();
      await replication?.close();
    })();
    await this.#leaving;
  }

  #translate(error: unknown): unknown {
    return toPostgresError(error, this.#sessions.translation('read changes from Postgres'));
  }
}

type Answer = Positioned<Change, ChangePosition> | undefined;
