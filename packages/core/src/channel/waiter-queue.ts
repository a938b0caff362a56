/** First come, first served, and whoever gives up leaves in constant time: a doubly linked list of the waiting. */

import { onAbort } from '../abort.ts';

export class Waiter<T> {
  previous: Waiter<T> | undefined;
  next: Waiter<T> | undefined;
  queue: WaiterQueue<T> | undefined;
  /** Takes the wish to hear of an abort back; runs on every way out. */
  forget: (() => void) | undefined;

  readonly value: T;
  readonly reject: (reason: unknown) => void;

  constructor(value: T, reject: (reason: unknown) => void) {
    this.value = value;
    this.reject = reject;
  }
}

export class WaiterQueue<T> {
  #first: Waiter<T> | undefined;
  #last: Waiter<T> | undefined;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  get first(): Waiter<T> | undefined {
    return this.#first;
  }

  /** Lets it wait until it is removed; if its signal aborts before, it is removed and rejected. */
  push(waiter: Waiter<T>, signal: AbortSignal | undefined): void {
    waiter.queue = this;
    waiter.previous = this.#last;
    if (this.#last === undefined) this.#first = waiter;
    else this.#last.next = waiter;
    this.#last = waiter;
    this.#length += 1;
    if (signal !== undefined) {
      waiter.forget = onAbort(signal, (reason) => {
        this.remove(waiter);
        waiter.reject(reason);
      });
    }
  }

  remove(waiter: Waiter<T>): void {
    if (waiter.queue !== this) return;
    waiter.queue = undefined;
    waiter.forget?.();
    waiter.forget = undefined;
    if (waiter.previous === undefined) this.#first = waiter.next;
    else waiter.previous.next = waiter.next;
    if (waiter.next === undefined) this.#last = waiter.previous;
    else waiter.next.previous = waiter.previous;
    waiter.previous = undefined;
    waiter.next = undefined;
    this.#length -= 1;
  }

  shift(): Waiter<T> | undefined {
    const first = this.#first;
    if (first !== undefined) this.remove(first);
    return first;
  }
}
