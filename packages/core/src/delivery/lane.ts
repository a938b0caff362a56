/**
 * Where a source may resume: the end of the done prefix, in each of its lanes.
 *
 *     lane ''   position = 20          head                          tail
 *     done:  [..10] [..20]   open:    [..30: 2 pieces] ─► [..40: done] ─► [..50: 1 piece]
 *                        ▲                                 done out of turn: waits for ..30
 *
 * Each batch that a source hands out with a position gets one receipt. The receipt counts the pieces its batch is in.
 * When the last piece is settled the batch is done, and if it is the oldest open one of its lane, the lane's position
 * moves up to the end of all that is done. A piece that fails poisons its receipt: the position never passes it.
 */

import { Deferred } from '../deferred.ts';
import { StreamWeldError } from '../errors.ts';
import { type Claim, NO_ORIGINS, type Part } from './parcel.ts';

/** One batch of a source, on its way. Also the link in its lane's list. */
export class Receipt implements Claim {
  next: Receipt | undefined;
  /** The lane's position has come to its end, or beyond. */
  isPassed = false;
  #pieces = 1;
  #poisoned = false;

  readonly lane: Lane;
  /** The position of the batch before it: where it would be read again from. Undefined for the first of a run. */
  readonly after: unknown;
  readonly position: unknown;
  readonly items: number;

  constructor(lane: Lane, after: unknown, position: unknown, items: number) {
    this.lane = lane;
    this.after = after;
    this.position = position;
    this.items = items;
  }

  get pieces(): number {
    return this.#pieces;
  }

  /** It stands for no other claim. */
  get origins(): readonly Part[] {
    return NO_ORIGINS;
  }

  get isDone(): boolean {
    return this.#pieces === 0 && !this.#poisoned;
  }

  get isPoisoned(): boolean {
    return this.#poisoned;
  }

  retain(pieces: number): void {
    if (this.#pieces === 0) throw overSettled();
    this.#pieces += pieces;
  }

  rejoin(): void {
    this.#pieces -= 1;
  }

  settle(): void {
    if (this.#pieces === 0) throw overSettled();
    this.#pieces -= 1;
    if (this.#pieces === 0 && !this.#poisoned) this.lane.advance();
    this.lane.book.onSettled?.();
  }

  shrunk(): void {
    this.lane.book.onSettled?.();
  }

  fail(): void {
    if (this.#pieces === 0) throw overSettled();
    this.#pieces -= 1;
    this.#poisoned = true;
    this.lane.hasLost = true;
  }
}

export class Lane {
  #head: Receipt | undefined;
  #tail: Receipt | undefined;
  /** Batches that were handed out, and those of them the position has passed. */
  #issued = 0;
  #passed = 0;
  /** Items in batches that were handed out, and that the position has not passed. */
  open = 0;
  /** What was committed last. */
  committed: unknown;
  /** In the order of what they wait for. */
  readonly #waiting: { upTo: number; deferred: Deferred }[] = [];
  #ended = false;
  /** The position of the batch that was handed out last. */
  #latest: unknown;
  position: unknown;
  /** Whether a batch of it was lost. */
  hasLost = false;
  /** Whether the position moved since it was last taken for a commit. */
  hasMoved = false;

  readonly name: string;
  readonly book: LaneBook;

  /** @param resumed where it stood when the run began, if it is known. */
  constructor(name: string, book: LaneBook, resumed: unknown) {
    this.name = name;
    this.book = book;
    this.position = resumed;
    this.#latest = resumed;
  }

  /** The name that positions are kept under: unlike that of any lane of another source of the run. */
  get label(): string {
    return this.book.prefix + this.name;
  }

  /** The oldest batch that is not done. */
  get head(): Receipt | undefined {
    return this.#head;
  }

  get isEmpty(): boolean {
    return this.#head === undefined;
  }

  /** It is no longer ours: nothing of it will be committed. */
  get isEnded(): boolean {
    return this.#ended;
  }

  /** The batch after this one; the oldest that is not done, where it is none or was passed; none in a lane that ended. */
  after(receipt: Receipt | undefined): Receipt | undefined {
    return receipt === undefined || receipt.isPassed || this.#ended ? this.#head : receipt.next;
  }

  /** The next batch of the lane goes on its way. */
  issue(position: unknown, items: number): Receipt {
    const receipt = new Receipt(this, this.#latest, position, items);
    this.#latest = position;
    if (this.#tail === undefined) this.#head = receipt;
    else this.#tail.next = receipt;
    this.#tail = receipt;
    this.#issued += 1;
    this.open += items;
    return receipt;
  }

  /** Moves the position over everything that is done. */
  advance(): void {
    let head = this.#head;
    if (head === undefined || !head.isDone || this.#ended) return;
    let items = 0;
    do {
      this.position = head.position;
      items += head.items;
      head.isPassed = true;
      this.#passed += 1;
      const next: Receipt | undefined = head.next;
      // A receipt that grew old and died would keep all that follow it alive, until a collection of everything.
      head.next = undefined;
      head = next;
    } while (head?.isDone === true);
    this.#head = head;
    if (head === undefined) this.#tail = undefined;
    this.open -= items;
    this.hasMoved = true;
    this.#wake();
    this.book.onMoved(items);
  }

  /** Settles when all that was issued so far is done; never, if some of it is lost. */
  settled(): Promise<void> {
    if (this.isEmpty) return Promise.resolve();
    const deferred = new Deferred();
    this.#waiting.push({ upTo: this.#issued, deferred });
    return deferred.promise;
  }

  /** Nothing of it is committed any more, and nobody waits for it. */
  end(): void {
    this.#ended = true;
    this.#head = undefined;
    this.#tail = undefined;
    this.#wake();
  }

  #wake(): void {
    const waiting = this.#waiting;
    for (let first = waiting[0]; first !== undefined; first = waiting[0]) {
      if (!this.#ended && this.#passed < first.upTo) return;
      waiting.shift();
      first.deferred.resolve();
    }
  }
}

/** All lanes of one source. */
export class LaneBook {
  readonly #lanes = new Map<string, Lane>();
  #last: Lane | undefined;
  /** Where lanes stood that were ended, by label: a store that keeps all positions is not to forget them. */
  readonly #left = new Map<string, unknown>();

  /** @param onMoved is told how many items became done, when a lane's position moved. */
  readonly onMoved: (items: number) => void;
  /** Is told of every piece that is settled, and of a lane that ends, where somebody waits to have all of a batch. */
  onSettled: (() => void) | undefined;
  /** Whether the source has ever given a lane up. */
  hasEnded = false;
  /** What the names of its lanes begin with, where a run has several sources. */
  prefix = '';

  constructor(onMoved: (items: number) => void) {
    this.onMoved = onMoved;
  }

  issue(laneName: string, position: unknown, items: number): Receipt {
    let lane = this.#last;
    if (lane === undefined || lane.name !== laneName) {
      lane = this.#lanes.get(laneName);
      if (lane === undefined) {
        lane = new Lane(laneName, this, undefined);
        this.#lanes.set(laneName, lane);
      }
      this.#last = lane;
    }
    return lane.issue(position, items);
  }

  /** The run resumes at these positions: they count until a lane moves on. */
  resume(positions: ReadonlyMap<string, unknown>): void {
    for (const [name, position] of positions) this.#lanes.set(name, new Lane(name, this, position));
  }

  settled(laneName: string): Promise<void> {
    return this.#lanes.get(laneName)?.settled() ?? Promise.resolve();
  }

  endLane(laneName: string): void {
    const lane = this.#lanes.get(laneName);
    if (lane === undefined) return;
    if (lane.position !== undefined) this.#left.set(lane.label, lane.position);
    lane.end();
    this.#lanes.delete(laneName);
    this.#last = undefined;
    this.hasEnded = true;
    this.onSettled?.();
  }

  /** The names of the lanes in which something is not settled. */
  openLanes(): string[] {
    return [...this.#lanes.values()].filter((lane) => !lane.isEmpty).map((lane) => lane.name);
  }

  /** The positions that moved since the last call. */
  takeMoved(): Map<string, unknown> {
    const moved = new Map<string, unknown>();
    for (const lane of this.#lanes.values()) {
      if (!lane.hasMoved) continue;
      lane.hasMoved = false;
      moved.set(lane.name, lane.position);
    }
    return moved;
  }

  /** These positions were committed. */
  committed(positions: ReadonlyMap<string, unknown>): void {
    for (const [name, position] of positions) {
      const lane = this.#lanes.get(name);
      if (lane !== undefined) lane.committed = position;
    }
  }

  /** Its lanes, at most `max` of them. */
  list(max: number): Lane[] {
    return [...this.#lanes.values()].slice(0, max);
  }

  /** Takes positions back that could not be committed. */
  giveBack(moved: ReadonlyMap<string, unknown>): void {
    for (const name of moved.keys()) {
      const lane = this.#lanes.get(name);
      // A lane that was ended and has begun anew has nothing to give back until it moves.
      if (lane?.position !== undefined) lane.hasMoved = true;
    }
  }

  /** Every lane's position, where it has one yet, by label; added to `positions` where there are others. */
  positions(positions: Map<string, unknown> = new Map<string, unknown>()): Map<string, unknown> {
    for (const [label, position] of this.#left) positions.set(label, position);
    for (const lane of this.#lanes.values())
      if (lane.position !== undefined) positions.set(lane.label, lane.position);
    return positions;
  }
}

/** What somebody is told who settles, fails or retains what is settled already. */
export function overSettled(): StreamWeldError {
  return new StreamWeldError(
    'SW_RECEIPT_SETTLED',
    'A receipt was settled more often than it has pieces. A sink that defers must settle each piece exactly once; retain one for every piece it makes.',
  );
}
