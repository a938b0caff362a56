/**
 * Changes that came and were not pulled yet, and where the source stands with those that were.
 *
 *     put: begin · change · change · commit · begin · change …     take(demand): changes, and the position behind them
 */

import type { Positioned } from '@streamweld/core/connector';
import type { ChangePosition } from './change-position.ts';
import type { Change, Logged } from './changes.ts';
import { parseLsn } from './lsn.ts';

/** What waits: a change, or the end of a transaction. */
type Waiting =
  | { readonly change: Change; readonly commit: string; readonly bytes: number }
  | { readonly lsn: string; readonly bytes: 0 };

/** So many bytes of changes may wait, however few they are. */
const MOST_BYTES = 1 << 26;

export class ChangeQueue {
  readonly #maxWaiting: number;
  readonly #waiting: Waiting[] = [];
  #at = 0;
  #bytes = 0;
  #position: ChangePosition;
  /** Where the run began: the same transaction comes whole again, and what of it was done is known by its number. */
  readonly #partial: ChangePosition['partial'];
  /** Of the transaction that is being received, so many changes are skipped. */
  #skip = 0;
  /** Where the commit of the transaction lies that is being received. */
  #commit: string | undefined;

  constructor(from: ChangePosition, maxWaiting: number) {
    this.#position = from;
    this.#partial = from.partial;
    this.#maxWaiting = maxWaiting;
  }

  /** @param bytes of the message that it came in. */
  put(logged: Logged, bytes: number): void {
    switch (logged.kind) {
      case 'begin':
        this.#commit = logged.transaction.lsn;
        this.#skip = this.#partial?.commit === this.#commit ? this.#partial.changes : 0;
        break;
      case 'change':
        if (this.#skip > 0) {
          this.#skip -= 1;
        } else {
          this.#waiting.push({ change: logged.change, commit: this.#commit as string, bytes });
          this.#bytes += bytes;
        }
        break;
      case 'commit':
        this.#waiting.push({ lsn: logged.lsn, bytes: 0 });
        this.#commit = undefined;
    }
  }

  /** Up to so many changes; undefined where the position would not move. */
  take(demand: number): Positioned<Change, ChangePosition> | undefined {
    const items: Change[] = [];
    let position = this.#position;
    let hasMoved = false;
    while (this.#at < this.#waiting.length) {
      const next = this.#waiting[this.#at] as Waiting;
      if ('change' in next) {
        // What follows says whether it is the last of its transaction: its position is the same in each run.
        if (items.length === demand || this.#at + 1 === this.#waiting.length) break;
        items.push(next.change);
        const { partial } = position;
        const changes = (partial?.commit === next.commit ? partial.changes : 0) + 1;
        position = { lsn: position.lsn, partial: { commit: next.commit, changes } };
      } else {
        position = { lsn: next.lsn };
      }
      hasMoved = true;
      this.#bytes -= next.bytes;
      this.#at += 1;
    }
    if (!hasMoved) return undefined;
    this.#position = position;
    if (this.#at === this.#waiting.length || this.#at > 1024) {
      this.#waiting.splice(0, this.#at);
      this.#at = 0;
    }
    return { items, position };
  }

  /** Nothing changed, and yet the log moves on: what it holds back may be forgotten. Undefined where that is not so. */
  moveTo(lsn: string): Positioned<Change, ChangePosition> | undefined {
    if (this.#commit !== undefined || this.#at < this.#waiting.length) return undefined;
    if (this.#position.partial !== undefined || parseLsn(lsn) <= parseLsn(this.#position.lsn))
      return undefined;
    this.#position = { lsn };
    return { items: [], position: this.#position };
  }

  /** Whether more waits than such a share of what may; never where nothing of it can be taken. */
  isFull(share: number): boolean {
    const count = this.#waiting.length - this.#at;
    return count > 1 && (count > this.#maxWaiting * share || this.#bytes > MOST_BYTES * share);
  }

  clear(): void {
    this.#waiting.length = 0;
    this.#at = 0;
    this.#bytes = 0;
  }
}
