/** RedisStreamSource: the entries of a stream, in order, each with a position to resume behind. */

import {
  Deferred,
  onAbort,
  type Positioned,
  runtime,
  type Source,
  type SourceContext,
} from '@streamweld/core/connector';
import { Connection, end, type RedisClient } from './client.ts';
import { compareIds, type RedisEntry, type RedisPosition, toEntries } from './entries.ts';
import { isTransient, toRedisError } from './errors.ts';
import { type CheckedSourceOptions, checkSourceOptions, type RedisStreamSourceOptions } from './options.ts';
import { Place } from './source-place.ts';

/** The most entries of one answer. */
const MOST = 1000;
/** How long the server is asked to wait for an entry, before it is looked whether the stream is still there. */
const WAIT_MS = 2000;
const PAUSE_MS = [50, 100, 250, 500, 1000];

/**
 * Reads the entries of a stream from its beginning, or from behind a position.
 *
 * It ends behind the last entry that was there when it was opened; with `follow` it waits for more. It keeps no position
 * itself: give the pipeline a checkpoint. Entries that were trimmed off before they were read are told, not skipped.
 *
 *     new RedisStreamSource({ connection: 'redis://localhost', stream: 'orders', follow: true })
 */
export class RedisStreamSource implements Source<RedisEntry, RedisPosition> {
  readonly name: string;
  readonly #options: CheckedSourceOptions;
  readonly #connection: Connection;
  #place: Place | undefined;
  #signal: AbortSignal | undefined;
  /** The last entry that is to be read, where it does not follow. */
  #until = '+';
  #waiting: RedisClient | undefined;
  /** Ends a wait for entries, or for the server. */
  #wake: (() => void) | undefined;
  #isStopped = false;

  constructor(options: RedisStreamSourceOptions) {
    this.#options = checkSourceOptions(options);
    this.name = this.#options.name;
    this.#connection = new Connection(this.#options);
  }

  async open({ positions, signal }: SourceContext<RedisPosition>): Promise<void> {
    this.#signal = signal;
    const place = new Place(this.#options, (args, action) => this.#connection.send(args, action, signal));
    const last = await this.#patiently(() => place.open(positions.get('')));
    if (!this.#options.follow) this.#until = last ?? '0-0';
    this.#place = place;
  }

  async pull(demand: number): Promise<Positioned<RedisEntry, RedisPosition> | undefined> {
    const place = this.#place as Place;
    while (!this.#isStopped) {
      const items = await this.#patiently(() => this.#read(place, Math.min(demand, MOST)));
      if (items === undefined) return undefined;
      if (items.length > 0) return { items, position: place.passed(items) };
      if (!this.#options.follow) return undefined;
      await this.#patiently(() => this.#wait(place.id));
    }
    return undefined;
  }

  /** Entries behind the place, if there are any now. */
  async #read(place: Place, most: number): Promise<RedisEntry[]> {
    // The entry at the place is asked for too: while it is there, nothing behind it has been trimmed.
    for (;;) {
      const from = place.id;
      if (this.#until !== '+' && compareIds(from, this.#until) >= 0) return [];
      const args = ['XRANGE', this.#options.stream, from, this.#until, 'COUNT', String(most + 1)];
      const entries = toEntries(await this.#connection.send(args, 'read the stream', this.#signal));
      if (entries[0]?.id === from) return entries.slice(1);
      if (await place.isWhole(entries[0]?.id, this.#until)) return entries.slice(0, most);
    }
  }

  /** Until there is an entry behind this id, or for a while; a stop ends it. */
  async #wait(id: string): Promise<void> {
    const action = 'wait for entries';
    this.#waiting ??= await this.#connection.another(action, this.#signal);
    const waiting = this.#waiting;
    // It may have been stopped, or closed, while the connection was made.
    if (this.#isStopped) {
      this.#waiting = undefined;
      end(waiting);
      return;
    }
    const cutOff = (): void => end(waiting);
    const forget = onAbort(this.#signal as AbortSignal, cutOff);
    this.#wake = cutOff;
    try {
      await waiting.sendCommand([
        'XREAD',
        'COUNT',
        '1',
        'BLOCK',
        String(WAIT_MS),
        'STREAMS',
        this.#options.stream,
        id,
      ]);
    } catch (error) {
      this.#waiting = undefined;
      end(waiting);
      if (!this.#isStopped) throw toRedisError(error, action, this.name);
    } finally {
      this.#wake = undefined;
      forget();
    }
  }

  /** Does it again while the server is away, as long as `reconnectMs` says. @returns nothing where it was stopped meanwhile. */
  async #patiently<A>(attempt: () => Promise<A>): Promise<A | undefined> {
    const signal = this.#signal as AbortSignal;
    let since: number | undefined;
    for (let time = 0; ; time += 1) {
      try {
        return await attempt();
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        if (this.#isStopped) return undefined;
        since ??= runtime.now();
        if (!isTransient(error) || runtime.now() - since >= this.#options.reconnectMs) throw error;
        await this.#pause(PAUSE_MS[Math.min(time, PAUSE_MS.length - 1)] as number, signal);
      }
    }
  }

  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    const woken = new Deferred();
    const timer = runtime.setTimer(woken.resolve, ms);
    const forget = onAbort(signal, () => woken.resolve());
    this.#wake = woken.resolve;
    try {
      await woken.promise;
    } finally {
      this.#wake = undefined;
      runtime.clearTimer(timer);
      forget();
    }
    signal.throwIfAborted();
  }

  comparePositions(a: RedisPosition, b: RedisPosition): number {
    return compareIds(a.id, b.id);
  }

  stop(): void {
    this.#isStopped = true;
    this.#wake?.();
  }

  close(): void {
    this.stop();
    if (this.#waiting !== undefined) end(this.#waiting);
    this.#connection.close();
  }
}
