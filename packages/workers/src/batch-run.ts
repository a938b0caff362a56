/**
 * What is done for one batch until each of its items has become something, or is refused.
 *
 *     [ 0 1 2 3 ] ── thread died ──► [ 0 1 ] ── done
 *                                    [ 2 3 ] ── thread died ──► [ 2 ] ── done
 *                                                               [ 3 ] ── thread died ──► refused
 *
 * Nobody knows which item a thread died of, so the batch is halved until the item is alone: what is refused has ended a
 * thread by itself. The others are run once more, for what a thread made of them before it died is gone with it.
 */

import type { WorkersError } from './errors.ts';
import {
  diedLoading,
  faultOfSending,
  faultOfTransfer,
  invalidResult,
  itemsLost,
  uncloneableResult,
  unloaded,
} from './faults.ts';
import type { Answer, RefusedItem, ThrownInThread } from './messages.ts';
import type { Settings } from './options.ts';
import { type Outcome, SendFailure, ThreadDeath, type ThreadPool } from './thread-pool.ts';
import { revive } from './thrown.ts';
import { isDetached, listTransfers } from './transfers.ts';

/** Some items of the batch, sent together. */
interface Piece {
  readonly items: readonly unknown[];
  /** Where they are in the batch. */
  readonly indexes: readonly number[];
  /** How often the function was called for them, this time included. */
  readonly attempt: number;
  /** How many threads have died with them. */
  readonly deaths: number;
}

type Refuse = (index: number, error: unknown) => void;

export class BatchRun {
  readonly #pool: ThreadPool;
  readonly #settings: Settings;
  readonly #refuse: Refuse;
  /** What each item became, at its index; what a function made of several, at the first of them. */
  readonly #became: (readonly unknown[])[] = [];

  constructor(pool: ThreadPool, settings: Settings, refuse: Refuse) {
    this.#pool = pool;
    this.#settings = settings;
    this.#refuse = refuse;
  }

  async run(items: readonly unknown[]): Promise<readonly unknown[]> {
    const whole = { items, indexes: items.map((_, index) => index), attempt: 1, deaths: 0 };
    const outcome = await this.#send(whole);
    if ('kind' in outcome && outcome.kind === 'done' && outcome.refused.length === 0) return outcome.results;
    await this.#conclude(whole, outcome);
    return this.#became.flat();
  }

  async #send({ items }: Piece): Promise<Outcome> {
    const { transfer } = this.#settings;
    if (transfer === undefined) return this.#pool.run(items, []);
    const list = listTransfers(items as readonly never[], transfer);
    if (list.some(isDetached)) return new SendFailure(undefined);
    return this.#pool.run(items, list);
  }

  async #again(piece: Piece): Promise<void> {
    await this.#conclude(piece, await this.#send(piece));
  }

  async #conclude(piece: Piece, outcome: Outcome): Promise<void> {
    if (outcome instanceof ThreadDeath) await this.#died(piece, outcome.error);
    else if (outcome instanceof SendFailure) await this.#unsendable(piece, outcome.cause);
    else await this.#answered(piece, outcome);
  }

  async #answered(piece: Piece, answer: Answer): Promise<void> {
    switch (answer.kind) {
      case 'done':
        await this.#done(piece, answer.results, answer.refused);
        return;
      case 'failed':
        await this.#failed(piece, answer.error, answer.isUncloneable === true);
        return;
      case 'invalid':
        throw this.#pool.fail(invalidResult(this.#settings, answer.found));
      case 'unloaded':
        throw this.#pool.fail(unloaded(this.#settings, answer));
    }
  }

  async #done(piece: Piece, results: readonly unknown[], refused: readonly RefusedItem[]): Promise<void> {
    this.#keep(piece, results, new Set(refused.map(({ index }) => index)));
    const again: number[] = [];
    for (const { index, error, isUncloneable } of refused) {
      if (this.#mayTryAgain(piece, error, isUncloneable)) again.push(index);
      else this.#refuse(piece.indexes[index] as number, this.#errorOf(error, isUncloneable));
    }
    if (again.length > 0) await this.#again({ ...pick(piece, again), attempt: piece.attempt + 1 });
  }

  #keep({ indexes }: Piece, results: readonly unknown[], refused: ReadonlySet<number>): void {
    if (this.#settings.takes === 'batch') {
      const first = indexes[0] as number;
      // There may be something already, of those that were sent with it before it was tried again.
      this.#became[first] = [...(this.#became[first] ?? []), ...results];
      return;
    }
    let next = 0;
    for (const [at, index] of indexes.entries()) {
      if (!refused.has(at)) this.#became[index] = [results[next++]];
    }
  }

  /** A function of batches threw, for whichever of its items. */
  async #failed(piece: Piece, error: ThrownInThread, isUncloneable: boolean): Promise<void> {
    if (this.#mayTryAgain(piece, error, isUncloneable)) {
      await this.#again({ ...piece, attempt: piece.attempt + 1 });
    } else if (piece.items.length > 1) {
      await this.#halve(piece);
    } else {
      this.#refuse(piece.indexes[0] as number, this.#errorOf(error, isUncloneable));
    }
  }

  #mayTryAgain({ attempt }: Piece, error: ThrownInThread, isUncloneable = false): boolean {
    if (isUncloneable || attempt >= this.#settings.attempts) return false;
    return !(error.isError && error.own['retryable'] === false);
  }

  #errorOf(error: ThrownInThread, isUncloneable = false): unknown {
    const thrown = revive(error);
    return isUncloneable ? uncloneableResult(this.#settings, thrown) : thrown;
  }

  async #died(piece: Piece, error: WorkersError): Promise<void> {
    // Before it ever came to an item: no other would fare better.
    if (!this.#pool.hasLoaded) throw this.#pool.fail(diedLoading(this.#settings, error));
    if (this.#settings.transfer !== undefined)
      throw this.#pool.fail(itemsLost(this.#settings, piece.items.length, error));
    const deaths = piece.deaths + 1;
    if (piece.items.length > 1) {
      await this.#halve({ ...piece, deaths });
    } else if (deaths < Math.max(2, this.#settings.attempts)) {
      // It may have died of what was done before in the same thread.
      await this.#again({ ...piece, deaths });
    } else {
      this.#refuse(piece.indexes[0] as number, error);
    }
  }

  async #halve(piece: Piece): Promise<void> {
    const middle = piece.items.length >> 1;
    await this.#again({
      ...piece,
      items: piece.items.slice(0, middle),
      indexes: piece.indexes.slice(0, middle),
    });
    await this.#again({ ...piece, items: piece.items.slice(middle), indexes: piece.indexes.slice(middle) });
  }

  /** Those that can be sent are sent without the others. */
  async #unsendable(piece: Piece, cause: unknown): Promise<void> {
    const faults = piece.items.map((item) => faultOfSending(this.#settings, item));
    const good = [...faults.keys()].filter((at) => faults[at] === undefined);
    // Where each can be sent by itself, what was to be transferred is at fault.
    const isOfTransfer = good.length === piece.items.length;
    for (const [at, index] of piece.indexes.entries()) {
      const fault = isOfTransfer ? faultOfTransfer(this.#settings, cause) : faults[at];
      if (fault !== undefined) this.#refuse(index, fault);
    }
    if (!isOfTransfer && good.length > 0) await this.#again(pick(piece, good));
  }
}

function pick(piece: Piece, at: readonly number[]): Piece {
  return {
    ...piece,
    items: at.map((each) => piece.items[each]),
    indexes: at.map((each) => piece.indexes[each] as number),
  };
}
