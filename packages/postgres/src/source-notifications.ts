/** PostgresNotificationSource: what is told on a channel by NOTIFY. */

import {
  checkCount,
  checkDuration,
  checkOptions,
  Deferred,
  onAbort,
  runtime,
  type Source,
  type SourceContext,
} from '@streamweld/core/connector';
import { type Session, Sessions } from './client.ts';
import { PostgresError, toPostgresError } from './errors.ts';
import { checkIdentifier, quoteIdentifier } from './identifiers.ts';
import { checkReach, type ReachOptions } from './options.ts';

export interface PostgresNotificationSourceOptions extends ReachOptions {
  /** A raw name; it is quoted, so its capitals count. */
  readonly channel: string;
  /** How many notifications wait to be pulled; what comes beyond is left out, and the place marked. Default 10,000. */
  readonly maxWaiting?: number | undefined;
  /** How long the connection may be lost before the source fails, in milliseconds. Default 60,000. */
  readonly reconnectMs?: number | undefined;
}

/**
 * One notification; or, with `gap`, the place where some may be missing, because nobody listened for a while: Postgres keeps
 * none for later. Read again what they would have told about.
 */
export type Notification =
  | { readonly channel: string; readonly payload: string; readonly gap?: undefined }
  | { readonly channel: string; readonly payload: undefined; readonly gap: 'reconnected' | 'overflowed' };

/** How long the first and the longest wait before another connection is tried, in milliseconds. */
const RETRY_MS = { first: 50, most: 5000 };

/** How often it is seen whether the connection still answers, in milliseconds: a cable that is cut says nothing. */
const PROBE_MS = 15_000;

/**
 * Listens on a channel: an endless source of `{ channel, payload }`, without positions. A lost connection is made again,
 * and the place is marked by an item with `gap`.
 *
 *     new PostgresNotificationSource({ connection, channel: 'orders' })
 */
export class PostgresNotificationSource implements Source<Notification> {
  readonly name: string;
  readonly #channel: string;
  readonly #maxWaiting: number;
  readonly #reconnectMs: number;
  readonly #sessions: Sessions;
  #session: Session | undefined;
  #items: Notification[] = [];
  #waiting:
    | { readonly demand: number; readonly answer: Deferred<readonly Notification[] | undefined> }
    | undefined;
  #failure: { readonly error: unknown } | undefined;
  /** Nobody listened for a while, and that is still to be told. */
  #hasGap = false;
  #isStopped = false;
  #timer: unknown;
  /** Of a connection that is made again. */
  #limit: unknown;
  #stopListening: (() => void) | undefined;

  constructor(options: PostgresNotificationSourceOptions) {
    const given = checkOptions('PostgresNotificationSource options', options, [
      'connection',
      'client',
      'name',
      'errorDetails',
      'channel',
      'maxWaiting',
      'reconnectMs',
    ]);
    this.#channel = checkIdentifier('channel', given.channel);
    const reach = checkReach(given, `channel ${this.#channel}`);
    this.name = reach.name;
    this.#maxWaiting = checkCount('maxWaiting', given.maxWaiting ?? 10_000);
    this.#reconnectMs = checkDuration('reconnectMs', given.reconnectMs ?? 60_000);
    this.#sessions = new Sessions({ ...reach, stage: reach.name, max: 1 });
  }

  async open({ positions, signal }: SourceContext): Promise<void> {
    if (positions.size > 0) {
      throw new PostgresError(
        'SW_POSTGRES_POSITION_INVALID',
        `${this.name} has no positions: what was notified while nobody listened is gone. Take the checkpoint away.`,
        { stage: this.name },
      );
    }
    this.#stopListening = onAbort(signal, () => this.stop());
    try {
      await this.#listen(signal);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      throw this.#translate(error);
    }
  }

  async #listen(signal: AbortSignal): Promise<void> {
    const session = await this.#sessions.acquire(signal);
    // Who listens by a server that says nothing waits no longer than for a connection.
    const takeBack = session.destroyOn(signal);
    try {
      session.connection.on('notification', this.#onNotification);
      await session.query(`listen ${quoteIdentifier(this.#channel)}`);
    } catch (error) {
      session.connection.off('notification', this.#onNotification);
      session.destroy();
      throw error;
    } finally {
      takeBack();
    }
    if (this.#isStopped) {
      session.destroy();
      return;
    }
    this.#session = session;
    session.onLoss(() => this.#lost());
    this.#probe();
  }

  readonly #onNotification = (message: unknown): void => {
    const { channel, payload } = message as { channel: string; payload?: string };
    if (channel !== this.#channel || this.#isStopped) return;
    this.#tellGap();
    if (this.#items.length >= this.#maxWaiting) {
      // Whoever is this slow is told that something is missing, instead of a process that grows.
      const last = this.#items.at(-1);
      if (last?.gap === undefined) this.#items.push({ channel, payload: undefined, gap: 'overflowed' });
    } else {
      this.#items.push({ channel, payload: payload ?? '' });
    }
    this.#serve();
  };

  /** Before anything that is heard again; not before somebody listens again, since what is told makes people look. */
  #tellGap(): void {
    if (!this.#hasGap) return;
    this.#hasGap = false;
    this.#items.push({ channel: this.#channel, payload: undefined, gap: 'reconnected' });
  }

  #lost(): void {
    this.#leave();
    this.#hasGap = true;
    if (this.#isStopped) return;
    void this.#reconnect(runtime.now() + this.#reconnectMs);
  }

  async #reconnect(until: number): Promise<void> {
    const late = new AbortController();
    this.#limit = runtime.setTimer(() => late.abort(this.#tooLate()), until - runtime.now());
    for (let waitMs = RETRY_MS.first; !this.#isStopped; waitMs = Math.min(waitMs * 2, RETRY_MS.most)) {
      try {
        await this.#listen(late.signal);
        this.#tellGap();
        this.#serve();
        break;
      } catch (error) {
        if (this.#isStopped) break;
        if (runtime.now() >= until) {
          this.#failure = { error: this.#translate(late.signal.aborted ? late.signal.reason : error) };
          this.#serve();
          break;
        }
      }
      await new Promise<void>((resolve) => {
        this.#timer = runtime.setTimer(resolve, waitMs);
      });
    }
    runtime.clearTimer(this.#limit);
  }

  #tooLate(): PostgresError {
    return new PostgresError(
      'SW_POSTGRES_CONNECTION_LOST',
      `${this.name} lost its connection, and none could be made again in ${this.#reconnectMs} ms (reconnectMs): the server does not answer. Run it again when it does.`,
      { stage: this.name, isTransient: true },
    );
  }

  #probe(): void {
    const session = this.#session;
    this.#timer = runtime.setTimer(() => {
      if (session === undefined || session !== this.#session) return;
      const late = runtime.setTimer(() => session.destroy(), PROBE_MS);
      session.query('select 1').then(
        () => {
          runtime.clearTimer(late);
          if (session === this.#session) this.#probe();
        },
        () => runtime.clearTimer(late),
      );
    }, PROBE_MS);
  }

  pull(demand: number): readonly Notification[] | undefined | Promise<readonly Notification[] | undefined> {
    if (this.#items.length > 0) return this.#items.splice(0, demand);
    if (this.#failure !== undefined) throw this.#failure.error;
    if (this.#isStopped) return undefined;
    this.#waiting = { demand, answer: new Deferred() };
    return this.#waiting.answer.promise;
  }

  #serve(): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    if (this.#items.length > 0) {
      this.#waiting = undefined;
      waiting.answer.resolve(this.#items.splice(0, waiting.demand));
    } else if (this.#failure !== undefined) {
      this.#waiting = undefined;
      waiting.answer.reject(this.#failure.error);
    } else if (this.#isStopped) {
      this.#waiting = undefined;
      waiting.answer.resolve(undefined);
    }
  }

  stop(): void {
    this.#isStopped = true;
    this.#serve();
  }

  async close(): Promise<void> {
    this.stop();
    this.#stopListening?.();
    this.#items = [];
    const session = this.#session;
    this.#leave();
    // A connection that listens is not given back to others.
    session?.destroy();
    await this.#sessions.close();
  }

  #leave(): void {
    for (const timer of [this.#timer, this.#limit]) if (timer !== undefined) runtime.clearTimer(timer);
    this.#timer = undefined;
    this.#limit = undefined;
    this.#session?.connection.off('notification', this.#onNotification);
    this.#session = undefined;
  }

  #translate(error: unknown): unknown {
    return toPostgresError(
      error,
      this.#sessions.translation(`listen on the channel ${JSON.stringify(this.#channel)}`),
    );
  }
}
