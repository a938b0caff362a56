/** PostgresChangeSource: what changes in tables, in the order of its commits, after what was there. */

import {
  checkBoolean,
  checkCount,
  checkDuration,
  checkFunction,
  checkOptions,
  Deferred,
  onAbort,
  OptionError,
  type Positioned,
  runtime,
  type Source,
  type SourceContext,
} from '@streamweld/core/connector';
import { type Change, ChangeDecoder } from './changes.ts';
import { type ConnectionOptions, type Session, Sessions } from './client.ts';
import { PostgresError, sqlStateOf, toPostgresError } from './errors.ts';
import { checkIdentifier, type TableName } from './identifiers.ts';
import { checkReach, checkTable, type CheckedReach, type ReachOptions } from './options.ts';
import { Replication, type ReplicationHandlers, toNumber } from './replication.ts';
import { ensurePublication, type PublishedTable, publishedTables, readSlot } from './slot.ts';
import { type SnapshotPlace, SnapshotReader } from './source-snapshot.ts';
import { loadParsers } from './types.ts';

export interface PostgresChangeSourceOptions extends Omit<ReachOptions, 'client'> {
  /** The replication slot: made on a first run. One for each pipeline. Until it is dropped it holds the log back. */
  readonly slot: string;
  /** The publication: which tables, rows and columns. */
  readonly publication: string;
  /** Makes the publication for these tables, where it is not there. */
  readonly tables?: readonly (string | { readonly schema: string; readonly table: string })[] | undefined;
  /** Whether a run that has no position begins with the rows that are there. Default `true`. */
  readonly snapshot?: boolean | undefined;
  /** Drops the slot at the end: for looking on. Nothing can be resumed then. Default `false`. */
  readonly temporary?: boolean | undefined;
  /** How many changes are held before the server is made to wait. Default 10,000. */
  readonly maxWaiting?: number | undefined;
  /** How often the position moves on while nothing changes, so that no log is held back, in milliseconds. Default 10,000. */
  readonly heartbeatMs?: number | undefined;
  /** From how many bytes of log that the slot holds back a notice is given. Default 1 GiB. */
  readonly maxBehindBytes?: number | undefined;
  /** Told what is no failure and should be known: the slot falls behind. Default: a warning of the process. */
  readonly onNotice?: ((notice: PostgresError) => void) | undefined;
}

/** Where to resume. Plain data, so that any store can keep it. */
export interface ChangePosition {
  /** In the log: everything before is done. */
  readonly lsn: string;
  /** Of the transaction behind it, so many changes are done: a large one is handed out in several batches. */
  readonly partial?: { readonly commit: string; readonly changes: number } | undefined;
  /** The rows that were there are still being read: this table, behind this key. */
  readonly snapshot?: SnapshotPlace | undefined;
}

interface Checked extends CheckedReach {
  readonly connection: string | ConnectionOptions;
  readonly slot: string;
  readonly publication: string;
  readonly tables: readonly TableName[] | undefined;
  readonly snapshot: boolean;
  readonly isTemporary: boolean;
  readonly maxWaiting: number;
  readonly heartbeatMs: number;
  readonly maxBehindBytes: number;
  readonly onNotice: (notice: PostgresError) => void;
}

/** What waits to be pulled: a change, or the end of a transaction. */
type Waiting =
  | { readonly change: Change; readonly commit: string; readonly bytes: number }
  | { readonly lsn: string; readonly bytes: 0 };

/** So many bytes of changes may wait, however few they are. */
const WAITING_BYTES = 1 << 26;

/** How often, and how long apart, a slot is tried that is still in use: the server notices late that a host is gone. */
const BUSY_TIMES = 40;
const BUSY_MS = 250;

/** How long the server may take to stop a command. */
const CANCEL_MS = 5000;

/** `replication slot "…" is active for PID …`. */
const IN_USE = '55006';

/** How often it is looked how far the slot is behind, in milliseconds. */
const LOOK_MS = 60_000;

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
  readonly #options: Checked;
  readonly #sessions: Sessions;
  #replication: Replication | undefined;
  #decoder: ChangeDecoder | undefined;
  #snapshot: SnapshotReader | undefined;
  #position: ChangePosition = { lsn: '0/0' };
  readonly #waiting: Waiting[] = [];
  #at = 0;
  #waitingBytes = 0;
  #isPaused = false;
  /** Of the transaction that is being received, so many changes are skipped: they were done before. */
  #skip = 0;
  #commit = '';
  #idleLsn: string | undefined;
  #beatAt = 0;
  #pull: { readonly demand: number; readonly answer: Deferred<Answer> } | undefined;
  #failure: { readonly error: unknown } | undefined;
  #isStopped = false;
  #timers = new Set<unknown>();
  #isMakingSlot = false;
  #leaving: Promise<void> | undefined;
  #stopListening: (() => void) | undefined;

  constructor(options: PostgresChangeSourceOptions) {
    this.#options = check(options);
    this.name = this.#options.name;
    const { connection, errorDetails, name } = this.#options;
    this.#sessions = new Sessions({ connection, client: undefined, errorDetails, max: 2, stage: name });
  }

  async open({ positions, signal }: SourceContext<ChangePosition>): Promise<void> {
    this.#stopListening = onAbort(signal, () => {
      this.stop();
      void this.#leave();
    });
    const from = positions.get('');
    if (from !== undefined) this.#checkPosition(from);
    try {
      await this.#open(from, signal);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      throw this.#translate(error);
    }
  }

  async #open(from: ChangePosition | undefined, signal: AbortSignal): Promise<void> {
    const { slot, publication, tables, name, connection, isTemporary } = this.#options;
    const session = await this.#sessions.acquire(signal);
    let all: readonly PublishedTable[];
    try {
      await ensurePublication(session, publication, tables, name);
      all = await publishedTables(session, publication);
      this.#decoder = new ChangeDecoder(await loadParsers(session, 'value'));
      const state = isTemporary ? undefined : await readSlot(session, slot, name);
      // Whoever left has closed what there was: what is opened from here on would stay open.
      signal.throwIfAborted();
      const replication = new Replication(connection, name);
      this.#replication = replication;
      await replication.connect();
      if (state === undefined) {
        if (from !== undefined) throw this.#slotGone();
        this.#isMakingSlot = true;
        const made = await replication.createSlot(slot, isTemporary);
        this.#isMakingSlot = false;
        this.#position = { lsn: made.lsn };
        // What is exported is readable until this connection is asked for changes.
        if (this.#options.snapshot) await this.#beginSnapshot(all, undefined, made.snapshot, signal);
      } else {
        if (state.isLost) throw this.#slotGone();
        this.#position = from ?? { lsn: state.confirmed };
        // An earlier run may have made the slot and handed out nothing, or not all: who has no position has to begin.
        if (from?.snapshot !== undefined || (from === undefined && this.#options.snapshot)) {
          await this.#beginSnapshot(all, from?.snapshot, undefined, signal);
        }
      }
    } finally {
      session.release();
    }
    if (this.#snapshot === undefined) await this.#stream();
    this.#look();
  }

  async #beginSnapshot(
    tables: readonly PublishedTable[],
    from: ChangePosition['snapshot'],
    snapshot: string | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const reader = new SnapshotReader(tables, from, this.name);
    await reader.open(this.#sessions, snapshot, signal);
    this.#snapshot = reader;
  }

  async #stream(): Promise<void> {
    const { slot, publication } = this.#options;
    const { partial } = this.#position;
    const replication = this.#replication as Replication;
    this.#beatAt = runtime.now();
    const handlers: ReplicationHandlers = {
      onMessage: (message) => this.#receive(message, partial),
      onIdle: (lsn) => {
        this.#idleLsn = lsn;
        this.#serve();
      },
      onEnd: (error) => this.#fail(error),
    };
    for (let time = 1; ; time++) {
      try {
        await replication.start(slot, publication, this.#position.lsn, handlers);
        break;
      } catch (error) {
        if (sqlStateOf(error) !== IN_USE || time === BUSY_TIMES || this.#isStopped) throw error;
        await new Promise<void>((resolve) => runtime.setTimer(resolve, BUSY_MS));
      }
    }
    this.#beat();
  }

  #receive(message: Buffer, partial: ChangePosition['partial']): void {
    try {
      for (const logged of (this.#decoder as ChangeDecoder).decode(message)) {
        switch (logged.kind) {
          case 'begin':
            this.#commit = logged.transaction.lsn;
            // The same transaction comes whole again; what of it was done is known by its number.
            this.#skip = partial?.commit === this.#commit ? partial.changes : 0;
            break;
          case 'change':
            if (this.#skip > 0) {
              this.#skip -= 1;
            } else {
              this.#waiting.push({ change: logged.change, commit: this.#commit, bytes: message.length });
              this.#waitingBytes += message.length;
            }
            break;
          case 'commit':
            this.#waiting.push({ lsn: logged.lsn, bytes: 0 });
            this.#commit = '';
        }
      }
    } catch (error) {
      this.#fail(error);
      return;
    }
    if (!this.#isPaused && this.#isFull(1)) {
      this.#isPaused = true;
      this.#replication?.pause();
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
          const { lsn } = this.#position;
          this.#answer({ items: [], position: { lsn } });
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
    const items: Change[] = [];
    let position = this.#position;
    let hasMoved = false;
    while (this.#at < this.#waiting.length) {
      const next = this.#waiting[this.#at] as Waiting;
      if ('change' in next) {
        if (items.length === demand) break;
        items.push(next.change);
        const { partial } = position;
        const changes = (partial?.commit === next.commit ? partial.changes : 0) + 1;
        position = { lsn: position.lsn, partial: { commit: next.commit, changes } };
      } else {
        position = { lsn: next.lsn };
      }
      hasMoved = true;
      this.#waitingBytes -= next.bytes;
      this.#at += 1;
    }
    if (!hasMoved) return this.#takeIdle();
    this.#position = position;
    if (this.#at === this.#waiting.length || this.#at > 1024) {
      this.#waiting.splice(0, this.#at);
      this.#at = 0;
    }
    if (this.#isPaused && !this.#isFull(0.5)) {
      this.#isPaused = false;
      this.#replication?.resume();
    }
    return { items, position };
  }

  #isFull(share: number): boolean {
    const { maxWaiting } = this.#options;
    return this.#waiting.length - this.#at > maxWaiting * share || this.#waitingBytes > WAITING_BYTES * share;
  }

  /** Nothing changed, and yet the log moves on: what it holds back may be forgotten. */
  #takeIdle(): Answer {
    const lsn = this.#idleLsn;
    if (
      lsn === undefined ||
      this.#commit !== '' ||
      runtime.now() - this.#beatAt < this.#options.heartbeatMs
    ) {
      return undefined;
    }
    this.#idleLsn = undefined;
    if (toNumber(lsn) <= toNumber(this.#position.lsn) || this.#position.partial !== undefined)
      return undefined;
    this.#beatAt = runtime.now();
    this.#position = { lsn };
    return { items: [], position: this.#position };
  }

  #beat(): void {
    this.#after(this.#options.heartbeatMs, () => {
      this.#serve();
      this.#beat();
    });
  }

  #after(ms: number, then: () => void): void {
    if (this.#isStopped) return;
    const timer = runtime.setTimer(() => {
      this.#timers.delete(timer);
      then();
    }, ms);
    this.#timers.add(timer);
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
    const [one, other] = [toNumber(a.lsn), toNumber(b.lsn)];
    if (one !== other) return one < other ? -1 : 1;
    if ((a.snapshot === undefined) !== (b.snapshot === undefined)) return a.snapshot === undefined ? 1 : -1;
    if (a.snapshot !== undefined && b.snapshot !== undefined) return a.snapshot.rows - b.snapshot.rows;
    return (a.partial?.changes ?? 0) - (b.partial?.changes ?? 0);
  }

  stop(): void {
    this.#isStopped = true;
    for (const timer of this.#timers) runtime.clearTimer(timer);
    this.#timers.clear();
    this.#serve();
    if (this.#pull !== undefined) this.#answer(undefined);
  }

  async close(): Promise<void> {
    this.stop();
    this.#stopListening?.();
    this.#waiting.length = 0;
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

  /** Looks how far the slot is behind, now and then. */
  #look(): void {
    const { slot, name, maxBehindBytes, onNotice } = this.#options;
    this.#after(LOOK_MS, () => {
      void (async () => {
        let session: Session | undefined;
        try {
          session = await this.#sessions.acquire();
          const state = await readSlot(session, slot, name);
          if (state !== undefined && state.behindBytes > maxBehindBytes) {
            const mebibytes = Math.round(state.behindBytes / (1 << 20));
            onNotice(
              new PostgresError(
                'SW_POSTGRES_SLOT_BEHIND',
                `The slot ${JSON.stringify(slot)} holds back ${mebibytes} MiB of the server's log, because what was read is not yet durable. Is a sink too slow? A slot that nobody reads any more has to be dropped.`,
                { stage: name },
              ),
            );
          }
        } catch {
          // It is only a look: what is wrong with the connection is told by the one that reads.
        } finally {
          session?.release();
        }
        this.#look();
      })();
    });
  }

  #checkPosition(position: unknown): void {
    const { lsn, partial, snapshot } = Object(position) as Partial<ChangePosition>;
    const isPosition =
      typeof lsn === 'string' &&
      /^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/i.test(lsn) &&
      (partial === undefined || (typeof partial?.commit === 'string' && Number.isInteger(partial.changes))) &&
      (snapshot === undefined ||
        (typeof snapshot?.schema === 'string' &&
          typeof snapshot.table === 'string' &&
          Number.isSafeInteger(snapshot.rows) &&
          (snapshot.key === null || Array.isArray(snapshot.key))));
    if (isPosition) return;
    throw new PostgresError(
      'SW_POSTGRES_POSITION_INVALID',
      `${this.name} cannot resume from what the checkpoint holds: it is no place in the server's log. Give the checkpoint another name to begin anew.`,
      { stage: this.name },
    );
  }

  #slotGone(): PostgresError {
    return new PostgresError(
      'SW_POSTGRES_SLOT_INVALID',
      `The slot ${JSON.stringify(this.#options.slot)} is gone, or has lost what lies behind the position to resume from: changes are missing. Begin anew, with another name for the checkpoint and a sink that takes rows again.`,
      { stage: this.name },
    );
  }

  #translate(error: unknown): unknown {
    return toPostgresError(error, this.#sessions.translation('read changes from Postgres'));
  }
}

type Answer = Positioned<Change, ChangePosition> | undefined;

function check(options: PostgresChangeSourceOptions): Checked {
  const given = checkOptions('PostgresChangeSource options', options, [
    'connection',
    'name',
    'errorDetails',
    'slot',
    'publication',
    'tables',
    'snapshot',
    'temporary',
    'maxWaiting',
    'heartbeatMs',
    'maxBehindBytes',
    'onNotice',
  ]);
  const slot = given.slot;
  // The server's own rule: a slot is a folder.
  if (typeof slot !== 'string' || !/^[a-z0-9_]{1,63}$/.test(slot)) {
    throw new OptionError('slot', '1 to 63 small letters, digits and underscores', slot);
  }
  const publication = checkIdentifier('publication', given.publication);
  const reach = checkReach(given, `changes of ${publication}`);
  const { tables } = given;
  if (tables !== undefined && (!Array.isArray(tables) || tables.length === 0)) {
    throw new OptionError('tables', 'a list of tables', tables);
  }
  return {
    ...reach,
    connection: reach.connection as string | ConnectionOptions,
    slot,
    publication,
    tables: tables?.map((table) =>
      typeof table === 'string' ? checkTable(table, undefined) : checkTable(table?.table, table?.schema),
    ),
    snapshot: checkBoolean('snapshot', given.snapshot ?? true),
    isTemporary: checkBoolean('temporary', given.temporary ?? false),
    maxWaiting: checkCount('maxWaiting', given.maxWaiting ?? 10_000),
    heartbeatMs: checkDuration('heartbeatMs', given.heartbeatMs ?? 10_000),
    maxBehindBytes: checkCount('maxBehindBytes', given.maxBehindBytes ?? 2 ** 30),
    onNotice:
      given.onNotice === undefined
        ? (notice) => process.emitWarning(notice.message, { code: notice.code })
        : checkFunction('onNotice', given.onNotice),
  };
}
