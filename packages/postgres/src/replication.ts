/**
 * One connection that the server sends its log on: messages in, confirmations out.
 *
 *     server ─ XLogData ─► onMessage       ─ keepalive ─► onIdle(where the server stands)
 *            ◄─ status: confirmed up to here, every few seconds and when asked
 *
 * Silence has an end on both sides: who has heard nothing asks, and who then hears nothing for twice `wal_sender_timeout` leaves. Not
 * earlier: a server of before version 15 says nothing while it passes by a large transaction that is not published.
 * A server that is being shut down asks again as soon as it is answered, and ends only when all it sent is confirmed, or
 * nobody is there any more; so where that takes too long the connection is given up.
 *
 * Postgres' manual describes it as the streaming replication protocol. `pg` opens the connection, pg-logical-replication reads
 * pgoutput; when the server may forget something is decided here, since that is a promise.
 */

import { Deferred, runtime } from '@streamweld/core/connector';
import pg from 'pg';
import { cutOff, toPgConfig, within } from './client.ts';
import type { ConnectionOptions } from './connection.ts';
import { PostgresError } from './errors.ts';
import { quoteIdentifier } from './identifiers.ts';
import { formatLsn, parseLsn } from './lsn.ts';
import { SETTINGS } from './reading.ts';
import { KNOWN_TYPES } from './types.ts';

/** How often the server is told how far we are; it gives a connection up after `wal_sender_timeout`, a minute by default. */
const STATUS_MS = 10_000;
/** How long a server that is being shut down is kept waiting for what was sent to be durable. */
const STOPPING_MS = 5000;
/** So many questions, each too early for one that is asked by the clock, and the server is being shut down. */
const EARLY = 3;
const XLOG_DATA = 0x77;
const KEEPALIVE = 0x6b;
const STATUS = 0x72;
/** How long the server may take to end it in order. */
const END_MS = 1000;
/** From 1970 to 2000, in milliseconds: Postgres counts from there. */
const EPOCH_MS = 946_684_800_000;

/** What we use of the connection under a `pg.Client`. */
interface RawConnection {
  readonly stream: { pause(): unknown; resume(): unknown };
  endCopyFrom(): void;
  on(event: 'copyData', listener: (message: { readonly chunk: Buffer }) => void): unknown;
  once(event: 'replicationStart', listener: () => void): unknown;
  off(event: 'replicationStart', listener: () => void): unknown;
  sendCopyFromChunk(chunk: Buffer): void;
}

export interface CreatedSlot {
  /** Where its changes begin. */
  readonly lsn: string;
  /** The name under which another transaction can read what was there. */
  readonly snapshot: string;
}

export interface ReplicationHandlers {
  /** A message of pgoutput. */
  onMessage(message: Buffer): void;
  /** The server has sent all there is up to here; urgent where it waits for just that to be confirmed. */
  onIdle(lsn: string, isUrgent: boolean): void;
  onEnd(error: unknown): void;
}

/** The server warned that it knows no such publication, and passes by what it would have told. */
export class PublicationMissing extends Error {
  override readonly name = 'PublicationMissing';
}

export class Replication {
  readonly #client: pg.Client;
  #handlers: ReplicationHandlers | undefined;
  readonly #stage: string;
  #confirmed = 0n;
  #timer: unknown;
  /** Once the server is being shut down: when it is kept waiting no longer. */
  #stopping: unknown;
  /** Of the server, in milliseconds; 0: none. */
  #timeoutMs = 0;
  /** When the server asked last, by its own clock. */
  #askedAt = 0;
  #early = 0;
  /** Since the last status; while it is paused nothing can be heard. */
  #hasHeard = true;
  #isPaused = false;
  /** So many times in a row nothing was heard. */
  #silences = 0;
  #isEnded = false;
  #isStarted = false;
  #isConnected = false;
  readonly #gone = new Deferred();
  #copying: Promise<void> = Promise.resolve();

  constructor(connection: string | ConnectionOptions, stage: string) {
    this.#stage = stage;
    this.#client = new pg.Client({
      ...toPgConfig(connection, stage),
      replication: 'database',
      types: KNOWN_TYPES,
    } as pg.ClientConfig);
    this.#client.on('error', (error) => this.#end(error));
    // Before Postgres 18 that was an error: a publication that is not there. Now its changes are only left out.
    this.#client.on('notice', (notice) => {
      if (notice.routine === 'LoadPublications') this.#end(new PublicationMissing());
    });
    this.#client.on('end', () => {
      this.#gone.resolve();
      this.#end(new Error('Connection terminated'));
    });
  }

  async connect(): Promise<void> {
    this.#isConnected = true;
    await this.#client.connect();
    // The values of changes are written as those of the snapshot are, whatever the database's settings say.
    // And a warning is heard: it may say that changes are left out.
    await this.#client.query(`${SETTINGS}; set client_min_messages to warning`);
    const { rows } = await this.#client.query(
      "select setting from pg_catalog.pg_settings where name = 'wal_sender_timeout'",
    );
    this.#timeoutMs = Number((rows[0] as { setting: string }).setting);
  }

  /** Makes a slot, and exports what was there at that very moment: readable until this connection is asked anything else. */
  async createSlot(slot: string, isTemporary: boolean): Promise<CreatedSlot> {
    // Capitals: the grammar of these commands knows no others.
    const { rows } = await this.#client.query(
      `CREATE_REPLICATION_SLOT ${quoteIdentifier(slot)} ${isTemporary ? 'TEMPORARY ' : ''}LOGICAL pgoutput EXPORT_SNAPSHOT`,
    );
    const row = rows[0] as { consistent_point: string; snapshot_name: string };
    return { lsn: row.consistent_point, snapshot: row.snapshot_name };
  }

  /** Of the server's process. */
  get processId(): number | undefined {
    return (this.#client as unknown as { readonly processID: number | null }).processID ?? undefined;
  }

  /** Asks for what comes behind `lsn`. Resolves when the server has begun; may be asked again where it refuses. */
  async start(slot: string, publication: string, lsn: string, handlers: ReplicationHandlers): Promise<void> {
    this.#confirmed = parseLsn(lsn);
    const started = new Deferred();
    const connection = this.#raw;
    if (this.#handlers === undefined) connection.on('copyData', ({ chunk }) => this.#receive(chunk));
    this.#handlers = handlers;
    const onStart = (): void => {
      this.#isStarted = true;
      started.resolve();
    };
    connection.once('replicationStart', onStart);
    const names = quoteIdentifier(publication).replaceAll("'", "''");
    this.#copying = this.#client
      .query(
        `START_REPLICATION SLOT ${quoteIdentifier(slot)} LOGICAL ${lsn} (proto_version '1', publication_names '${names}')`,
      )
      .then(
        () => this.#end(new Error('Connection terminated: the server ended the replication')),
        (error: unknown) => {
          connection.off('replicationStart', onStart);
          started.reject(error);
          if (this.#isStarted) this.#end(error);
        },
      );
    await started.promise;
    this.#status();
  }

  get #raw(): RawConnection {
    return (this.#client as unknown as { readonly connection: RawConnection }).connection;
  }

  #receive(chunk: Buffer): void {
    if (this.#isEnded) return;
    this.#hasHeard = true;
    if (chunk[0] === XLOG_DATA) {
      this.#handlers?.onMessage(chunk.subarray(25));
    } else if (chunk[0] === KEEPALIVE) {
      const isAsking = chunk[17] === 1;
      if (isAsking) this.#beAsked(Number(chunk.readBigInt64BE(9)) / 1000);
      this.#handlers?.onIdle(formatLsn(chunk.readBigUInt64BE(1)), isAsking && this.#stopping !== undefined);
    }
  }

  /**
   * By the clock the server asks when it has heard nothing for half its timeout.
   * @param at the time of the server, in milliseconds: what was asked while nothing was read is heard at once.
   */
  #beAsked(at: number): void {
    if (this.#stopping !== undefined) return;
    this.#early = at - this.#askedAt < (this.#timeoutMs || Infinity) / 4 ? this.#early + 1 : 0;
    this.#askedAt = at;
    if (this.#early < EARLY) {
      this.#send();
      return;
    }
    // What is confirmed answers it; without anything new it would ask again, and again.
    this.#stopping = runtime.setTimer(() => this.giveUp(serverStopping(this.#stage)), STOPPING_MS);
  }

  /** The server may forget what lies before: it is durable. */
  confirm(lsn: string): void {
    const given = parseLsn(lsn);
    if (given <= this.#confirmed) return;
    this.#confirmed = given;
    this.#send();
  }

  pause(): void {
    this.#isPaused = true;
    this.#raw.stream.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#hasHeard = true;
    this.#raw.stream.resume();
  }

  #status(): void {
    if (this.#isEnded) return;
    // Counted, not measured: where this process was busy, what was sent meanwhile is heard before the next time.
    this.#silences = this.#hasHeard || this.#isPaused ? 0 : this.#silences + 1;
    if (this.#silences * STATUS_MS > (this.#timeoutMs || Infinity) * 2) {
      this.giveUp(silent(this.#silences * STATUS_MS, this.#stage));
      return;
    }
    this.#send(!this.#hasHeard);
    this.#hasHeard = false;
    this.#timer = runtime.setTimer(() => this.#status(), STATUS_MS);
  }

  /** @param asks for an answer at once. */
  #send(asks = false): void {
    if (this.#isEnded) return;
    const message = Buffer.alloc(34);
    message[0] = STATUS;
    // Received, flushed and applied are one to us: durable in every sink.
    for (const at of [1, 9, 17]) message.writeBigUInt64BE(this.#confirmed, at);
    message.writeBigUInt64BE(BigInt(Date.now() - EPOCH_MS) * 1000n, 25);
    message[33] = asks ? 1 : 0;
    this.#raw.sendCopyFromChunk(message);
  }

  /** Ends it for such a reason, and does not wait until it is closed: the server may wait for that. */
  giveUp(error: PostgresError): void {
    this.#end(error);
    void this.close();
  }

  #end(error: unknown): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    for (const timer of [this.#timer, this.#stopping]) if (timer !== undefined) runtime.clearTimer(timer);
    this.#handlers?.onEnd(error);
  }

  /** Ends it: in order where the server listens, so that it hears what was confirmed last; else it is cut off. */
  async close(): Promise<void> {
    this.#handlers = undefined;
    if (!this.#isConnected) return;
    if (this.#isStarted && !this.#isEnded) {
      this.#send();
      this.#raw.endCopyFrom();
      this.#raw.stream.resume();
      await within(END_MS, this.#copying);
    }
    this.#end(new Error('Connection terminated: it was closed'));
    const ended = this.#client.end().catch(() => {});
    await within(END_MS, Promise.all([ended, this.#gone.promise]));
    cutOff(this.#client);
    await within(END_MS, this.#gone.promise);
  }
}

export function serverStopping(stage: string): PostgresError {
  return new PostgresError(
    'SW_POSTGRES_CONNECTION_LOST',
    `${stage}: the server is being shut down, and would wait until all that it sent is durable, which takes too long. Run it again when the server is back: what is not durable comes again.`,
    { stage, isTransient: true },
  );
}

function silent(ms: number, stage: string): PostgresError {
  return new PostgresError(
    'SW_POSTGRES_CONNECTION_LOST',
    `${stage}: nothing came from the server for ${ms / 1000} seconds, though it was asked. Is the network between cut? Run it again: what is not durable comes again. Where the server is only long in passing by a large transaction, raise wal_sender_timeout.`,
    { stage, isTransient: true },
  );
}
