/**
 * The channel as a few lists, plain enough to be seen to be right, and cheap to copy: the explorer keeps one for each
 * step of a schedule. It knows exactly how many items come at once, so that it can be compared with the channel in the
 * middle of a turn, when no promise has told yet what it was answered.
 */

import type { ChannelState, Overflow } from '../../src/channel/channel.ts';

/** What became of an operation; '' while it waits. `got 1,2`, `closed 3`, `full 3`, `sent`, `end`, `aborted`, `cancelled`. */
export type Outcome = string;

/** Items that lie in one array of the channel: a receiver is given of one at a time. */
interface Piece {
  items: readonly number[];
  /** Single items sent without waiting are appended to it. */
  isOpen: boolean;
}

interface WaitingSender {
  readonly operation: number;
  readonly items: readonly number[];
}

interface WaitingReceiver {
  readonly operation: number;
  readonly max: number;
}

export class ChannelModel {
  readonly capacity: number;
  readonly overflow: Overflow;
  pieces: readonly Piece[] = [];
  senders: readonly WaitingSender[] = [];
  receivers: readonly WaitingReceiver[] = [];
  outcomes: Outcome[] = [];
  dropped: readonly number[] = [];
  state: ChannelState = 'open';

  constructor(capacity: number, overflow: Overflow) {
    this.capacity = capacity;
    this.overflow = overflow;
  }

  copy(): ChannelModel {
    const copy = new ChannelModel(this.capacity, this.overflow);
    copy.pieces = this.pieces;
    copy.senders = this.senders;
    copy.receivers = this.receivers;
    copy.outcomes = this.outcomes.slice();
    copy.dropped = this.dropped;
    copy.state = this.state;
    return copy;
  }

  get size(): number {
    return this.pieces.reduce((sum, { items }) => sum + items.length, 0);
  }

  send(operation: number, items: readonly number[], isSingle: boolean): void {
    if (this.state === 'aborted') this.outcomes[operation] = 'aborted';
    else if (this.state !== 'open') this.outcomes[operation] = `closed ${items.join()}`;
    else {
      const sent = isSingle ? Number(this.#trySendOne(items)) : this.#trySendMany(items);
      const rest = items.slice(sent);
      if (rest.length === 0) this.outcomes[operation] = 'sent';
      else if (this.overflow === 'wait') {
        this.outcomes[operation] = '';
        this.senders = [...this.senders, { operation, items: rest }];
      } else if (this.overflow === 'fail') this.outcomes[operation] = `full ${rest.join()}`;
      else {
        this.outcomes[operation] = 'sent';
        if (this.overflow === 'dropNewest') this.dropped = [...this.dropped, ...rest];
        else this.#pushOut(rest);
      }
    }
  }

  trySend(items: readonly number[], isSingle: boolean): number | 'closed' | 'aborted' {
    if (this.state === 'aborted') return 'aborted';
    if (this.state !== 'open') return 'closed';
    return isSingle ? Number(this.#trySendOne(items)) : this.#trySendMany(items);
  }

  receive(operation: number, max: number): void {
    if (this.state === 'aborted') {
      this.outcomes[operation] = 'aborted';
      return;
    }
    const got = this.#take(max);
    if (got.length > 0) this.outcomes[operation] = `got ${got.join()}`;
    else if (this.state !== 'open') this.outcomes[operation] = 'end';
    else {
      this.outcomes[operation] = '';
      this.receivers = [...this.receivers, { operation, max }];
    }
  }

  tryReceive(max: number): readonly number[] | 'aborted' {
    return this.state === 'aborted' ? 'aborted' : this.#take(max);
  }

  /** The signal of an operation aborts. */
  cancel(operation: number): void {
    if (this.outcomes[operation] !== '') return;
    this.outcomes[operation] = 'cancelled';
    this.senders = this.senders.filter((sender) => sender.operation !== operation);
    this.receivers = this.receivers.filter((receiver) => receiver.operation !== operation);
  }

  close(): void {
    if (this.state !== 'open') return;
    this.state = 'draining';
    for (const { operation, items } of this.senders) this.outcomes[operation] = `closed ${items.join()}`;
    this.senders = [];
    this.#end();
  }

  abort(): void {
    if (this.state === 'aborted' || this.state === 'closed') return;
    this.state = 'aborted';
    for (const { operation } of [...this.senders, ...this.receivers]) this.outcomes[operation] = 'aborted';
    this.senders = [];
    this.receivers = [];
    this.pieces = [];
  }

  #trySendOne(items: readonly number[]): boolean {
    if (this.receivers.length > 0) return this.#place(items).length === 0;
    if (this.senders.length > 0 || this.size >= this.capacity) return false;
    const last = this.pieces.at(-1);
    this.pieces =
      last?.isOpen === true
        ? [...this.pieces.slice(0, -1), { items: [...last.items, ...items], isOpen: true }]
        : [...this.pieces, { items, isOpen: true }];
    return true;
  }

  #trySendMany(items: readonly number[]): number {
    return this.senders.length > 0 ? 0 : items.length - this.#place(items).length;
  }

  /** Hands items to who waits, stores what there is room for, answers the rest. */
  #place(items: readonly number[]): readonly number[] {
    let rest = items;
    while (rest.length > 0) {
      const [receiver, ...others] = this.receivers;
      if (receiver === undefined) break;
      this.receivers = others;
      this.outcomes[receiver.operation] = `got ${rest.slice(0, receiver.max).join()}`;
      rest = rest.slice(receiver.max);
    }
    const room = Math.min(rest.length, this.capacity - this.size);
    if (room > 0) this.pieces = [...this.pieces, { items: rest.slice(0, room), isOpen: false }];
    return rest.slice(room);
  }

  /** The newest stay, as many as it holds. */
  #pushOut(items: readonly number[]): void {
    const kept = items.slice(-this.capacity);
    let excess = this.size + kept.length - this.capacity;
    while (excess > 0) {
      const oldest = this.#shift(excess);
      excess -= oldest.length;
      this.dropped = [...this.dropped, ...oldest];
    }
    this.dropped = [...this.dropped, ...items.slice(0, items.length - kept.length)];
    this.pieces = [...this.pieces, { items: kept, isOpen: false }];
  }

  #shift(max: number): readonly number[] {
    const [first, ...others] = this.pieces;
    if (first === undefined) return [];
    const { items, isOpen } = first;
    this.pieces = items.length > max ? [{ items: items.slice(max), isOpen }, ...others] : others;
    return items.slice(0, max);
  }

  #take(max: number): readonly number[] {
    const taken = this.#shift(max);
    if (taken.length === 0) {
      const [sender, ...others] = this.senders;
      if (sender === undefined) return [];
      const { operation, items } = sender;
      if (items.length > max) this.senders = [{ operation, items: items.slice(max) }, ...others];
      else {
        this.senders = others;
        this.outcomes[operation] = 'sent';
      }
      return items.slice(0, max);
    }
    for (;;) {
      const [sender, ...others] = this.senders;
      if (sender === undefined) break;
      const { operation } = sender;
      const items = this.#place(sender.items);
      if (items.length > 0) {
        this.senders = [{ operation, items }, ...others];
        break;
      }
      this.senders = others;
      this.outcomes[operation] = 'sent';
    }
    this.#end();
    return taken;
  }

  #end(): void {
    if (this.state !== 'draining' || this.pieces.length > 0) return;
    this.state = 'closed';
    for (const { operation } of this.receivers) this.outcomes[operation] = 'end';
    this.receivers = [];
  }
}
