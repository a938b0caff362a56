/**
 * A bounded channel between many producers and many consumers.
 *
 *     send ──► [ waiting senders ] ──► [ items, at most capacity ] ──► [ waiting receivers ] ──► receive
 *               first come first                                        first come first
 *
 * Items wait here or there, never in both queues of waiters at once: while receivers wait, there is nothing to receive.
 */

import { describe, OptionError, StreamWeldError } from '../errors.ts';
import { checkCount, checkFunction, checkOneOf, checkOptions, checkSignal } from '../options.ts';
import { type Batch, BatchDeque } from './batch-deque.ts';
import { Waiter, WaiterQueue } from './waiter-queue.ts';

export const OVERFLOWS = ['wait', 'dropOldest', 'dropNewest', 'fail'] as const;

/** What happens to an item for which there is no room: wait for room, drop the oldest or the newest, or fail. */
export type Overflow = (typeof OVERFLOWS)[number];

export interface ChannelOptions<T> {
  /** How many items it holds, at most. 0: every item is handed from a sender to a receiver. */
  readonly capacity: number;
  /** Default `'wait'`. */
  readonly overflow?: Overflow | undefined;
  /** Is given what an overflow dropped. */
  readonly onDrop?: ((items: readonly T[]) => void) | undefined;
}

export interface WaitOptions {
  /** Gives up waiting. What was to be sent is then not sent; what was to be received stays in the channel. */
  readonly signal?: AbortSignal | undefined;
}

/** A send that found the channel closed or full. `undelivered` hands back what was not sent. */
export class SendError<T = unknown> extends StreamWeldError {
  override readonly name: string = 'SendError';
  readonly undelivered: readonly T[];

  constructor(code: 'SW_CHANNEL_CLOSED' | 'SW_CHANNEL_FULL', message: string, undelivered: readonly T[]) {
    super(code, message);
    this.undelivered = undelivered;
  }
}

/** `open → draining → closed`, or from either of the first two `→ aborted`. */
export type ChannelState = 'open' | 'draining' | 'closed' | 'aborted';

class Run<T> implements Batch {
  readonly items: readonly T[];

  constructor(items: readonly T[]) {
    this.items = items;
  }

  cut(from: number, to: number): this {
    return new Run(this.items.slice(from, to)) as this;
  }
}

interface Sending<T> {
  items: readonly T[];
  from: number;
  readonly resolve: () => void;
}

interface Receiving<T> {
  readonly max: number;
  readonly resolve: (items: readonly T[] | undefined) => void;
}

const SENT = Promise.resolve();
const NOTHING: readonly never[] = [];

/**
 * A bounded channel: `send` waits for room, `receive` for an item, `try…` never wait.
 *
 * After `close` nothing more can be sent, and receivers get what is left, then `undefined`. After `abort` what is left
 * is discarded, and everybody who waits is rejected with the reason.
 *
 * @example
 * const channel = new Channel<number>({ capacity: 100 });
 * void channel.sendMany([1, 2, 3]).then(() => channel.close());
 * for await (const item of channel) console.log(item);
 */
export class Channel<T> implements AsyncIterable<T> {
  readonly capacity: number;
  readonly overflow: Overflow;
  readonly #onDrop: ((items: readonly T[]) => void) | undefined;
  readonly #stored = new BatchDeque<Run<T>>();
  readonly #senders = new WaiterQueue<Sending<T>>();
  readonly #receivers = new WaiterQueue<Receiving<T>>();
  /** The array that single items are appended to: ours alone until it is handed out. */
  #open: T[] | undefined;
  #state: ChannelState = 'open';
  #reason: unknown;
  #dropped = 0;

  /** @throws OptionError for a capacity that is no whole number from 0 on, or an overflow that is unknown. */
  constructor(options: ChannelOptions<T>) {
    const { capacity, overflow, onDrop } = checkOptions('Channel', options, [
      'capacity',
      'overflow',
      'onDrop',
    ]);
    this.capacity = checkCount('Channel.capacity', capacity, 0);
    this.overflow = checkOneOf('Channel.overflow', overflow ?? 'wait', OVERFLOWS);
    if (this.capacity === 0 && this.overflow !== 'wait') {
      throw new OptionError('Channel.capacity', `at least 1 with overflow '${this.overflow}'`, 0);
    }
    this.#onDrop = onDrop === undefined ? undefined : checkFunction('Channel.onDrop', onDrop);
  }

  /** How many items are in it. */
  get size(): number {
    return this.#stored.items;
  }

  get state(): ChannelState {
    return this.#state;
  }

  /** How many items an overflow has dropped. */
  get dropped(): number {
    return this.#dropped;
  }

  get waitingSenders(): number {
    return this.#senders.length;
  }

  get waitingReceivers(): number {
    return this.#receivers.length;
  }

  /** Sends one item if that needs no waiting; answers whether it did. */
  trySend(item: T): boolean {
    this.#checkOpen([item]);
    const receiver = this.#receivers.shift();
    if (receiver !== undefined) {
      receiver.value.resolve([item]);
      return true;
    }
    if (this.#senders.length > 0 || this.#stored.items >= this.capacity) return false;
    this.#append(item);
    return true;
  }

  /** Sends as many of the items as need no waiting, from the front; answers how many. */
  trySendMany(items: readonly T[]): number {
    this.#checkOpen(items);
    return this.#senders.length > 0 ? 0 : this.#place(items, 0);
  }

  /**
   * Sends one item; resolves when it is in the channel (with capacity 0: in a receiver's hands).
   * @throws SendError when the channel is closed, or full with overflow `'fail'`; the reason of an abort.
   */
  send(item: T, options?: WaitOptions): Promise<void> {
    const signal = checkSignal('Channel.send signal', options?.signal);
    try {
      if (signal?.aborted === true) return Promise.reject(signal.reason);
      return this.trySend(item) ? SENT : this.#sendRest([item], 0, signal);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Sends all items in order, by pieces as room comes; resolves when the last is in. The array is kept by reference:
   * do not change it afterwards. A rejection leaves in the channel what was already sent.
   */
  sendMany(items: readonly T[], options?: WaitOptions): Promise<void> {
    const signal = checkSignal('Channel.sendMany signal', options?.signal);
    if (!Array.isArray(items)) throw new OptionError('Channel.sendMany', 'an array of items', items);
    try {
      if (signal?.aborted === true) return Promise.reject(signal.reason);
      const sent = this.trySendMany(items);
      if (sent === items.length) return SENT;
      return this.#sendRest(items, sent, signal);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** An item, if one is there. */
  tryReceive(): T | undefined {
    return this.#takeNow(1)[0];
  }

  /** Up to `max` items that are there: none, if none are. May answer fewer than there are. */
  tryReceiveMany(max: number): readonly T[] {
    return this.#takeNow(checkCount('Channel.tryReceiveMany max', max));
  }

  #takeNow(max: number): readonly T[] {
    if (this.#state === 'aborted') throw this.#reason;
    const run = this.#stored.shift(max);
    if (run === undefined) {
      const sender = this.#senders.first;
      return sender === undefined ? NOTHING : this.#takeFrom(sender, max);
    }
    if (this.#open === run.items) this.#open = undefined;
    this.#refill();
    return run.items;
  }

  /** The next item; waits for one. `undefined` at the end: where items may be that themselves, use `receiveMany`. */
  receive(options?: WaitOptions): Promise<T | undefined> {
    return this.receiveMany(1, options).then(firstOf);
  }

  /** The next 1 to `max` items, as they are there; waits for the first. `undefined` at the end. */
  receiveMany(max: number, options?: WaitOptions): Promise<readonly T[] | undefined> {
    checkCount('Channel.receiveMany max', max);
    const signal = checkSignal('Channel.receive signal', options?.signal);
    if (signal?.aborted === true) return Promise.reject(signal.reason);
    try {
      const items = this.#takeNow(max);
      if (items.length > 0) return Promise.resolve(items);
    } catch (error) {
      return Promise.reject(error);
    }
    if (this.#state !== 'open') return Promise.resolve(undefined);
    return new Promise((resolve, reject) => {
      this.#receivers.push(new Waiter({ max, resolve }, reject), signal);
    });
  }

  /** No more is sent: receivers get what is left, then the end. A sender that still waits is rejected. */
  close(): void {
    if (this.#state !== 'open') return;
    this.#state = 'draining';
    for (let sender = this.#senders.shift(); sender !== undefined; sender = this.#senders.shift()) {
      const { items, from } = sender.value;
      sender.reject(closedError(items.slice(from)));
    }
    this.#settleIfDrained();
  }

  /** Discards what is left, and rejects everybody who waits, now or later, with the reason. */
  abort(reason?: unknown): void {
    if (this.#state === 'aborted' || this.#state === 'closed') return;
    this.#state = 'aborted';
    this.#reason =
      reason ??
      new StreamWeldError(
        'SW_CHANNEL_ABORTED',
        'The channel was aborted; what was in it was discarded. Make a new one.',
      );
    while (this.#stored.shift(Number.MAX_SAFE_INTEGER) !== undefined);
    this.#open = undefined;
    for (let waiter = this.#senders.shift(); waiter !== undefined; waiter = this.#senders.shift()) {
      waiter.reject(this.#reason);
    }
    for (let waiter = this.#receivers.shift(); waiter !== undefined; waiter = this.#receivers.shift()) {
      waiter.reject(this.#reason);
    }
  }

  /** Item by item, to the end. Leaving the loop early leaves the channel as it is. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for (;;) {
      const items =
        this.#stored.items > 0 || this.#senders.length > 0 ? this.#takeNow(1) : await this.receiveMany(1);
      if (items === undefined) return;
      if (items.length > 0) yield items[0] as T;
    }
  }

  /** Aborts what has not come to its end. */
  [Symbol.asyncDispose](): Promise<void> {
    this.abort();
    return SENT;
  }

  #checkOpen(undelivered: readonly T[]): void {
    if (this.#state === 'aborted') throw this.#reason;
    if (this.#state !== 'open') throw closedError(undelivered);
  }

  #append(item: T): void {
    // A short array, or what is received would pile up at its front for as long as the channel never runs empty.
    if (this.#open !== undefined && this.#open.length < 256 && this.#stored.last?.items === this.#open) {
      this.#open.push(item);
      this.#stored.countAppended();
    } else {
      this.#open = [item];
      this.#stored.push(new Run(this.#open));
    }
  }

  /** Hands items to waiting receivers, then stores what there is room for; answers how far it came. */
  #place(items: readonly T[], from: number): number {
    let at = from;
    for (
      let receiver = this.#receivers.first;
      receiver !== undefined && at < items.length;
      receiver = this.#receivers.first
    ) {
      const to = Math.min(items.length, at + receiver.value.max);
      this.#receivers.remove(receiver);
      receiver.value.resolve(at === 0 && to === items.length ? items : items.slice(at, to));
      at = to;
    }
    const to = Math.min(items.length, at + Math.max(0, this.capacity - this.#stored.items));
    if (to > at) this.#stored.push(new Run(at === 0 && to === items.length ? items : items.slice(at, to)));
    return to;
  }

  #sendRest(items: readonly T[], from: number, signal: AbortSignal | undefined): Promise<void> {
    switch (this.overflow) {
      case 'wait':
        return new Promise((resolve, reject) => {
          this.#senders.push(new Waiter({ items, from, resolve }, reject), signal);
        });
      case 'fail':
        return Promise.reject(
          new SendError(
            'SW_CHANNEL_FULL',
            `The channel holds ${describe(this.capacity)} items and has no room. Wait and send again, or use overflow 'wait'.`,
            items.slice(from),
          ),
        );
      case 'dropNewest':
        this.#drop(items.slice(from));
        return SENT;
      case 'dropOldest': {
        // Of more than it can hold, only the newest would survive.
        const first = Math.max(from, items.length - this.capacity);
        const dropped: (readonly T[])[] = [];
        for (let excess = this.#stored.items + items.length - first - this.capacity; excess > 0; ) {
          const run = this.#stored.shift(excess);
          if (run === undefined) break;
          if (this.#open === run.items) this.#open = undefined;
          excess -= run.items.length;
          dropped.push(run.items);
        }
        if (first > from) dropped.push(items.slice(from, first));
        this.#place(items, first);
        // Told when all is in its place: who is told may send or receive.
        this.#drop(...dropped);
        return SENT;
      }
    }
  }

  #drop(...dropped: readonly (readonly T[])[]): void {
    for (const items of dropped) this.#dropped += items.length;
    if (this.#onDrop !== undefined) for (const items of dropped) this.#onDrop(items);
  }

  #takeFrom(sender: Waiter<Sending<T>>, max: number): readonly T[] {
    const sending = sender.value;
    const to = Math.min(sending.items.length, sending.from + max);
    const taken = sending.items.slice(sending.from, to);
    this.#advance(sender, to);
    return taken;
  }

  /** Lets waiting senders fill the room that a receiver made. */
  #refill(): void {
    for (let sender = this.#senders.first; sender !== undefined; sender = this.#senders.first) {
      const { items, from } = sender.value;
      const to = this.#place(items, from);
      this.#advance(sender, to);
      if (to < items.length) break;
    }
    this.#settleIfDrained();
  }

  #advance(sender: Waiter<Sending<T>>, to: number): void {
    sender.value.from = to;
    if (to < sender.value.items.length) return;
    this.#senders.remove(sender);
    sender.value.resolve();
  }

  #settleIfDrained(): void {
    if (this.#state !== 'draining' || this.#stored.items > 0) return;
    this.#state = 'closed';
    for (let receiver = this.#receivers.shift(); receiver !== undefined; receiver = this.#receivers.shift()) {
      receiver.value.resolve(undefined);
    }
  }
}

function firstOf<T>(items: readonly T[] | undefined): T | undefined {
  return items === undefined ? undefined : items[0];
}

function closedError<T>(undelivered: readonly T[]): SendError<T> {
  return new SendError(
    'SW_CHANNEL_CLOSED',
    'The channel is closed: nothing more can be sent. What was not sent is in `undelivered`.',
    undelivered,
  );
}
