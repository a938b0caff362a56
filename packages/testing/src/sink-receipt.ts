/** One write, from the call to what became of it, and the receipt of one that the sink settles itself (K10). */

import type { Accepted, Awaitable, DeferredReceipt, Sink, WriteContext } from '@streamweld/core';
import { Deferred, ignoreRejection } from '@streamweld/core/connector';

/** `nothing`: durable at once. `durable`: when that promise resolves. `defer`: when the sink settles it. */
export type Answered = 'nothing' | 'durable' | 'defer';

export class SinkWrite {
  readonly batch: readonly unknown[];
  /** Resolves when the sink has accepted it; rejects where the write failed. */
  readonly accepted: Promise<void>;
  /** Resolves when it is durable; rejects where it never will be. */
  readonly durable: Promise<void>;
  answered: Answered | undefined;
  isSettled = false;
  isAccepted = false;
  isDurable = false;
  isLost = false;
  /** What was done against the contract: K10, K12. */
  readonly breaches: string[] = [];

  constructor(sink: Sink<unknown>, batch: readonly unknown[], context: Omit<WriteContext, 'defer'>) {
    this.batch = batch;
    const durable = new Deferred();
    let receipt: Receipt | undefined;
    const defer = (): DeferredReceipt => {
      if (receipt !== undefined) this.breaches.push('It deferred one write twice.');
      if (this.isSettled) this.breaches.push('It deferred a write that had returned.');
      receipt ??= new Receipt(durable, this.breaches);
      return receipt;
    };
    let answer: Awaitable<void | Accepted>;
    try {
      answer = sink.write(batch, { ...context, defer });
    } catch (error) {
      answer = Promise.reject(error as Error);
    }
    this.durable = durable.promise;
    this.durable.then(
      () => {
        this.isDurable = true;
      },
      () => {
        this.isLost = true;
      },
    );
    this.accepted = Promise.resolve(answer).then(
      (accepted) => {
        this.isSettled = true;
        this.isAccepted = true;
        const later = (accepted as Partial<Accepted> | undefined)?.durable;
        this.answered = later !== undefined ? 'durable' : receipt === undefined ? 'nothing' : 'defer';
        if (later !== undefined && receipt !== undefined)
          this.breaches.push('It deferred a write, and answered { durable } too.');
        if (later !== undefined) later.then(durable.resolve, durable.reject);
        else if (receipt === undefined) {
          durable.resolve();
          this.isDurable = true;
        }
      },
      (error: unknown) => {
        this.isSettled = true;
        durable.reject(error);
        throw error;
      },
    );
    ignoreRejection(this.accepted);
  }
}

class Receipt implements DeferredReceipt {
  #pieces = 1;
  readonly #durable: Deferred;
  readonly #breaches: string[];

  constructor(durable: Deferred, breaches: string[]) {
    this.#durable = durable;
    this.#breaches = breaches;
  }

  retain(pieces: number): void {
    if (this.#pieces === 0) this.#breaches.push('It retained pieces of a receipt that was settled.');
    this.#pieces += pieces;
  }

  settle(): void {
    this.#take();
    if (this.#pieces === 0) this.#durable.resolve();
  }

  fail(error: unknown): void {
    this.#take();
    this.#durable.reject(error);
  }

  #take(): void {
    if (this.#pieces === 0) this.#breaches.push('It settled more pieces than it has.');
    else this.#pieces -= 1;
  }
}
