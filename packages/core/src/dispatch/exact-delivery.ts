/**
 * Exactly once behind a dispatcher: what each sink holds, what it is given next, and what it is not given again.
 *
 *     sink A holds   lane a ████████████░░░░       ahead: skips up to here
 *     sink B holds   lane a ███████░░░░░░░░░       the least: the run resumes here
 *                                 └──┬─┘
 *                          comes again, item by item, and only B is given it
 *
 * One feed, one offer at a time, in order. A sink that is given nothing of an offer owes its positions: it keeps them with
 * the next share it gets, and if none comes, the run resumes a little earlier, and finds nothing for it there.
 */

import { Caution, type ComparePositions } from '../delivery/caution.ts';
import type { Receipt } from '../delivery/lane.ts';
import type { Claim } from '../delivery/parcel.ts';
import { StreamWeldError } from '../errors.ts';
import type { SinkContext } from '../sink.ts';
import type { Outlet } from './outlet.ts';
import { Share } from './share.ts';

type Positions = ReadonlyMap<string, unknown>;

/** A sink that keeps positions, as its dispatcher knows it. */
interface Member {
  readonly name: string;
  /** What it held when it was opened. */
  readonly held: Positions;
  /** As far as it is ahead of where the run resumed. */
  ahead: Caution | undefined;
  /** Positions of offers of which it was given nothing, since its last share. */
  owed: Map<string, unknown> | undefined;
  /** Of the offer that is being dispatched. */
  share: Share | undefined;
  /** It has that offer already. */
  skips: boolean;
}

export class ExactDelivery<T> {
  /** The name under which positions are kept; that of each sink's follows it. */
  readonly checkpoint: string;
  readonly #name: string;
  readonly #members = new Map<Outlet<T>, Member>();
  /** Where all that was dispatched so far ends. */
  readonly #reached = new Map<string, unknown>();
  #offered: Positions = new Map();
  #compare: ComparePositions | undefined;
  #hasBegun = false;
  /** Items that a sink was not given again. */
  skipped = 0;

  constructor(name: string, checkpoint: string) {
    this.#name = name;
    this.checkpoint = checkpoint;
  }

  /** Whether a run feeds it: from then on the positions that sinks hold are those it began with. */
  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** @param held what the sink holds, by lane. */
  join(outlet: Outlet<T>, name: string, held: Positions): void {
    let owed: Map<string, unknown> | undefined;
    if (this.#hasBegun) {
      if (held.size > 0) {
        throw this.#impossible(
          `The sink '${name}' holds positions, and joins when items flow already: what lies between would be missing. Subscribe it before the pipeline is run.`,
        );
      }
      owed = new Map(this.#reached);
    }
    this.#members.set(outlet, { name, held, ahead: undefined, owed, share: undefined, skips: false });
  }

  /** It is given nothing more. What it was given of an offer in part is answered: it is not to be written. */
  leave(outlet: Outlet<T>): Share | undefined {
    const share = this.#members.get(outlet)?.share;
    this.#members.delete(outlet);
    return share;
  }

  // ── for the run that feeds it ──────────────────────────────────────────────────────────────────────────────────

  /** @param missing partitions that have no sink. */
  begin(context: SinkContext, missing: readonly string[]): void {
    if (context.checkpoint !== this.checkpoint) {
      throw this.#impossible(
        `The dispatcher '${this.#name}' was built with checkpoint '${this.checkpoint}', and the pipeline that feeds it has ${context.checkpoint === undefined ? 'none' : `'${context.checkpoint}'`}. Give the pipeline .checkpoint(store, '${this.checkpoint}').`,
      );
    }
    if (this.#members.size === 0 || missing.length > 0) {
      throw this.#impossible(
        `The run resumes where the sinks of '${this.#name}' stand, and ${missing.length === 0 ? 'none is subscribed' : `nobody is subscribed to ${missing.join(', ')}`}. Await subscribeSink for each before the pipeline is run.`,
      );
    }
    this.#hasBegun = true;
    this.#compare = context.comparePositions?.bind(context);
  }

  /** The least of what the sinks hold; a lane that is missing in one is missing. */
  positions(): Positions {
    const [first, ...others] = [...this.#members.values()].map(({ held }) => held);
    const least = new Map(first);
    for (const held of others) {
      for (const [lane, position] of least) {
        if (!held.has(lane)) least.delete(lane);
        else if (this.#compared(lane, held.get(lane), position) < 0) least.set(lane, held.get(lane));
      }
    }
    return least;
  }

  /** The furthest that any sink holds, of each lane in which they differ. */
  ahead(): Positions {
    const least = this.positions();
    const furthest = new Map<string, unknown>();
    for (const member of this.#members.values()) {
      const ahead = new Map<string, unknown>();
      for (const [lane, position] of member.held) {
        if (least.has(lane) && this.#compared(lane, position, least.get(lane)) <= 0) continue;
        ahead.set(lane, position);
        if (!furthest.has(lane) || this.#compared(lane, position, furthest.get(lane)) > 0)
          furthest.set(lane, position);
      }
      member.ahead = new Caution(ahead, this.#compared);
    }
    return furthest;
  }

  // ── for each offer ─────────────────────────────────────────────────────────────────────────────────────────────

  /** @param receipts answers those of the source batches it is made of; asked only where a sink is ahead. */
  offer(positions: Positions, receipts: () => readonly Receipt[]): void {
    this.#offered = positions;
    let known: readonly Receipt[] | undefined;
    for (const member of this.#members.values()) {
      member.share = undefined;
      member.skips = false;
      if (member.ahead?.isNeeded !== true) continue;
      known ??= receipts();
      member.skips = this.#has(member.ahead, known, member.name);
    }
  }

  /** Whether it has this offer already, or has left. */
  skips(outlet: Outlet<T>): boolean {
    return this.#members.get(outlet)?.skips ?? true;
  }

  /** The sink's share of this offer, if it was given something of it. */
  shareOf(outlet: Outlet<T>): Share | undefined {
    return this.#members.get(outlet)?.share;
  }

  /** @param claim the offer's, of which the share takes one piece over. */
  createShare(outlet: Outlet<T>, claim: Claim): Share {
    const member = this.#members.get(outlet) as Member;
    const share = new Share(claim, this.#due(member));
    member.owed = undefined;
    member.share = share;
    return share;
  }

  /** Whether it is full of one share to which more may come, and so can neither write nor take anything. */
  isStuck(outlet: Outlet<T>): boolean {
    const share = this.shareOf(outlet);
    return share !== undefined && outlet.buffered + outlet.held === share.items;
  }

  /** All of the offer is dispatched. */
  seal(): void {
    for (const member of this.#members.values()) {
      if (member.share !== undefined) member.share.isSealed = true;
      else member.owed = this.#due(member);
      member.share = undefined;
    }
    for (const [lane, position] of this.#offered) this.#reached.set(lane, position);
  }

  /** What it holds when it has all up to the end of this offer; never less than it holds already. */
  #due({ owed, ahead }: Member): Map<string, unknown> {
    const due = owed ?? new Map<string, unknown>();
    for (const [lane, position] of this.#offered)
      if (ahead?.covers(lane, position) !== true) due.set(lane, position);
    return due;
  }

  #has(ahead: Caution, receipts: readonly Receipt[], name: string): boolean {
    // A position without items says where the source stands, and may come again.
    const filled = receipts.filter(({ items }) => items > 0);
    const covered = filled.filter(({ lane, position }) => ahead.covers(lane.label, position));
    if (covered.length === 0) return false;
    if (covered.length === filled.length) return true;
    throw this.#impossible(
      `The sink '${name}' holds the position between two source batches that the flow has joined, so it has some of what comes again and lacks the rest. Leave batch(), and processors that hold back, out of the flow: for the size of writes there is Sink.batching.`,
    );
  }

  readonly #compared: ComparePositions = (lane, a, b) => {
    if (isSame(a, b)) return 0;
    if (this.#compare !== undefined) return this.#compare(lane, a, b);
    throw this.#impossible(
      `The sinks of '${this.#name}' hold different positions of the lane '${lane}', and whoever feeds it does not say which is the later. Feed it by a ConcurrentPipeline.`,
    );
  };

  #impossible(message: string): StreamWeldError {
    return new StreamWeldError('SW_EXACTLY_ONCE_IMPOSSIBLE', message, { stage: this.#name });
  }
}

/** Whether two positions, of whatever kind a source has, are the same value: it needs nobody to compare those. */
function isSame(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (!isPlain(a) || !isPlain(b) || Array.isArray(a) !== Array.isArray(b)) return false;
  const [left, right] = [Object.entries(a), new Map(Object.entries(b))];
  return (
    left.length === right.size &&
    left.every(([key, value]) => right.has(key) && isSame(value, right.get(key)))
  );
}

/** An array, or an object of no class: all that it says lies in its entries. */
function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  return Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype;
}
