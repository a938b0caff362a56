/**
 * Where items change hands: from the offers of the feeds to the outlets, as the strategy decides.
 *
 *     [ offer, offer, … ] ── strategy.dispatch ──► pieces ──► outlets
 *                                            └──► UNROUTED ──► dropped, refused, or the sink for such items
 *
 * Offers are dispatched in the order they came. An offer that finds no demand waits, and is tried again whenever there is
 * room: nothing here depends on another write to come.
 */

import { type Claim, Parcel } from '../delivery/parcel.ts';
import { StreamWeldError, wrapError } from '../errors.ts';
import { checkDispatch } from './check-dispatch.ts';
import { listNames } from './dispatch-errors.ts';
import type { DispatcherConfig } from './dispatch-core.ts';
import type { ExactDelivery } from './exact-delivery.ts';
import type { Offer } from './inbox.ts';
import type { Outlet } from './outlet.ts';
import { DEFAULT_BUFFER, type Roster } from './roster.ts';
import { type Delivery, type Dispatch, UNROUTED } from './strategy.ts';

/** What the exchange needs of its dispatcher. */
export interface ExchangeHost<T> {
  readonly isOpen: boolean;
  fail(error: unknown): void;
  /** An outlet could not take items: its subscription's loss, or everybody's failure. */
  refused(outlet: Outlet<T>, piece: Parcel<T>, error: unknown): void;
  /** The outlet of the sink for items that fit nowhere. */
  unknownOutlet(): Outlet<T>;
}

export class Exchange<T> {
  readonly #config: DispatcherConfig<T>;
  readonly #roster: Roster<T>;
  readonly #host: ExchangeHost<T>;
  #offers: Offer<T>[] = [];
  #isPumping = false;
  #again = false;
  /** What feeds offer waits, while what departed sinks handed back still moves. */
  isBarred = false;
  /** Set once an item fitted nowhere and there is a sink for such. */
  #unknown: Outlet<T> | undefined;
  /** Items that fitted nowhere and were dropped. */
  dropped = 0;
  /** How often a departed sink left something. */
  handedBack = 0;

  /** Where sinks keep positions. */
  readonly #exact: ExactDelivery<T> | undefined;

  constructor(
    config: DispatcherConfig<T>,
    roster: Roster<T>,
    host: ExchangeHost<T>,
    exact: ExactDelivery<T> | undefined,
  ) {
    this.#exact = exact;
    this.#config = config;
    this.#roster = roster;
    this.#host = host;
  }

  get hasOffers(): boolean {
    return this.#offers.length > 0;
  }

  /** Whether nothing waits that a departed sink handed back, or that fitted nowhere. */
  get isSettled(): boolean {
    return this.#offers.every(({ feed }) => feed !== undefined) && (this.#unknown?.isEmpty ?? true);
  }

  /** Items that wait to be dispatched. */
  get waiting(): number {
    return this.#offers.reduce((sum, { parcel, from }) => sum + parcel.items.length - from, 0);
  }

  offer(offer: Offer<T>): void {
    this.#offers.push(offer);
    this.pump();
  }

  /** What a departed sink left goes before everything else. */
  handBack(offers: readonly Offer<T>[]): void {
    this.handedBack += offers.length;
    this.#offers = [...offers, ...this.#offers];
  }

  /** Takes back what a feed offered, as far as nobody has it. */
  withdraw(feed: object, reason: unknown): void {
    const withdrawn = this.#offers.filter((offer) => offer.feed === feed);
    this.#offers = this.#offers.filter((offer) => offer.feed !== feed);
    for (const offer of withdrawn) offer.reject(reason);
  }

  rejectAll(error: unknown): void {
    for (const offer of this.#offers) offer.reject(error);
    this.#offers = [];
  }

  /** Moves what can be moved. Called when an offer, room or a sink came. */
  readonly pump = (): void => {
    if (this.#isPumping) {
      this.#again = true;
      return;
    }
    this.#isPumping = true;
    do {
      this.#again = false;
      while (this.#host.isOpen) {
        const offer = this.#offers[0];
        if (offer === undefined || (this.isBarred && offer.feed !== undefined)) break;
        const { from } = offer;
        if (this.#move(offer)) offer.accept();
        // A strategy of the user's own need not take all it could: what it leaves must not wait for room to come.
        else if (!this.#config.isCustom || offer.from === from) break;
      }
    } while (this.#again);
    this.#isPumping = false;
  };

  /** Dispatches what there is demand for; answers whether that was all of it. */
  #move(offer: Offer<T>): boolean {
    const { parcel, from } = offer;
    const { items } = parcel;
    const { outlets } = this.#roster;
    const room = this.#unknownRoom();
    if (room === 0) return false;
    const { taken, deliveries } =
      items.length - from > room
        ? this.#decide(items.slice(from, from + room), 0, outlets)
        : this.#decide(items, from, outlets);
    const exact = this.#exact;
    if (taken === 0) {
      if (exact !== undefined) this.#checkRoom(exact, outlets);
      return false;
    }
    offer.from = from + taken;
    const isAll = offer.from === items.length;
    // Before anything is set off that may fail, or put something before it.
    if (isAll) this.#offers.splice(this.#offers.indexOf(offer), 1);
    if (exact !== undefined) {
      this.#deliverShares(exact, offer, deliveries, outlets);
      if (!isAll && this.#host.isOpen) this.#checkRoom(exact, outlets);
      return isAll;
    }
    const pieces = deliveries.length + (isAll ? 0 : 1);
    if (pieces === 0) parcel.settle();
    else if (pieces > 1) parcel.retain(pieces - 1);
    for (const { outlet, items: share } of deliveries) {
      const piece = new Parcel(share, parcel.receipt, null);
      if (outlet === UNROUTED) this.#refuse(piece, this.#config.thrown());
      else this.#deliver(outlets[outlet] as Outlet<T>, piece);
    }
    return isAll;
  }

  /** What goes to a sink that keeps positions goes there as a part of its share, of which the offer has one claim. */
  #deliverShares(
    exact: ExactDelivery<T>,
    offer: Offer<T>,
    deliveries: readonly Delivery<T>[],
    outlets: readonly Outlet<T>[],
  ): void {
    const claim = offer.parcel.receipt as Claim;
    const isAll = offer.from === offer.parcel.items.length;
    const unrouted = deliveries.find(({ outlet }) => outlet === UNROUTED);
    if (unrouted !== undefined && this.#config.onUnknown === 'fail') {
      // Nothing of the offer is written: a sink would keep a position past items that nobody has.
      if (!isAll) claim.retain(1);
      this.#refuse(new Parcel(unrouted.items, claim, null), this.#config.thrown());
      return;
    }
    let pieces = isAll ? 0 : 1;
    const ways: { readonly outlet: Outlet<T> | undefined; readonly piece: Parcel<T> }[] = [];
    for (const { outlet: index, items } of deliveries) {
      const outlet = outlets[index];
      if (outlet === undefined) {
        pieces += 1;
        ways.push({ outlet, piece: new Parcel(items, claim, null) });
      } else if (exact.skips(outlet)) {
        exact.skipped += items.length;
      } else {
        let share = exact.shareOf(outlet);
        if (share === undefined) {
          share = exact.createShare(outlet, claim);
          pieces += 1;
        } else {
          share.retain(1);
        }
        share.items += items.length;
        ways.push({ outlet, piece: new Parcel(items, share, null) });
      }
    }
    if (pieces === 0) claim.settle();
    else if (pieces > 1) claim.retain(pieces - 1);
    // Before the last of it is delivered: the intake that has it may write then.
    const sealed = isAll ? outlets.filter((outlet) => exact.shareOf(outlet) !== undefined) : [];
    if (isAll) exact.seal();
    for (const { outlet, piece } of ways) {
      if (outlet === undefined) this.#refuse(piece, this.#config.thrown());
      // It has left, because of what was delivered before.
      else if (!isAll && exact.shareOf(outlet) !== piece.receipt) piece.settle();
      else this.#deliver(outlet, piece);
    }
    for (const outlet of sealed) outlet.pump();
  }

  /** Who waits for the end of a share, and has no room for it, waits for ever. */
  #checkRoom(exact: ExactDelivery<T>, outlets: readonly Outlet<T>[]): void {
    const full = outlets.filter(({ demand }) => demand <= 0);
    if (full.length === 0 || !full.every((outlet) => exact.isStuck(outlet))) return;
    const [first] = full;
    this.#host.fail(
      new StreamWeldError(
        'SW_BATCH_TOO_LARGE',
        `What one write gives to the sink '${first?.name}' has to be written whole, and ${first?.buffered === undefined ? 0 : first.buffered + first.held} items of it fill its buffer without its end. Raise the bufferSize of its subscription, or make createSink's batches smaller.`,
        { stage: first?.name },
      ),
    );
  }

  #decide(items: readonly T[], from: number, outlets: readonly Outlet<T>[]): Dispatch<T> {
    const { strategy, isCustom, name } = this.#config;
    try {
      const dispatch = strategy.dispatch(items, from, outlets);
      if (isCustom) checkDispatch(strategy.name, dispatch, items, from, outlets);
      return dispatch;
    } catch (error) {
      this.#host.fail(
        wrapError(
          'SW_STRATEGY_INVALID',
          name,
          `The strategy '${strategy.name}', or a selector, threw; its error is the cause. It must answer for every item.`,
          error,
        ),
      );
      return { taken: 0, deliveries: [] };
    }
  }

  #deliver(outlet: Outlet<T>, piece: Parcel<T>): void {
    try {
      outlet.accept(piece);
    } catch (error) {
      if (this.#config.hash === undefined || outlet.isClosed) this.#host.refused(outlet, piece, error);
      else this.#sortOut(outlet, piece, this.#config.hash, error);
    }
  }

  /** A key that cannot be had is the fault of its item alone: it fits nowhere, and the others go on. */
  #sortOut(outlet: Outlet<T>, piece: Parcel<T>, hash: (item: T) => number, error: unknown): void {
    const fit: T[] = [];
    const unfit: T[] = [];
    for (const item of piece.items) {
      try {
        hash(item);
        fit.push(item);
      } catch {
        unfit.push(item);
      }
    }
    if (unfit.length === 0) {
      this.#host.refused(outlet, piece, this.#fickleKey(error));
      return;
    }
    if (fit.length > 0) {
      piece.retain(1);
      const rest = new Parcel(fit, piece.receipt, null);
      try {
        outlet.accept(rest);
      } catch (again) {
        this.#host.refused(outlet, rest, this.#fickleKey(again));
      }
    }
    this.#refuse(new Parcel(unfit, piece.receipt, null), { error });
  }

  #fickleKey(error: unknown): StreamWeldError {
    return wrapError(
      'SW_PARTITION_UNKNOWN',
      this.#config.name,
      'The key of an item threw, and answered when it was asked again; its error is the cause. It must answer the same each time.',
      error,
    );
  }

  /** How many items that fit nowhere could be taken now. */
  #unknownRoom(): number {
    const { onUnknown, bufferSize } = this.#config;
    if (typeof onUnknown === 'string') return Number.POSITIVE_INFINITY;
    return this.#unknown?.room ?? bufferSize ?? DEFAULT_BUFFER;
  }

  /** @param cause what a route or a key threw, if it did. */
  #refuse(piece: Parcel<T>, cause: { readonly error: unknown } | undefined): void {
    const { onUnknown, partitions, name } = this.#config;
    if (onUnknown === 'drop') {
      this.dropped += piece.items.length;
      piece.settle();
    } else if (onUnknown === 'fail') {
      piece.fail();
      const what =
        cause === undefined
          ? 'An item was routed to a partition that does not exist'
          : 'The route or key of an item threw; its error is the cause';
      const advice =
        partitions === undefined
          ? 'The strategy must choose an outlet for each item it takes.'
          : `The partitions are ${listNames(partitions)}. Mend the route, or choose onUnknown: 'drop' or a sink for such items.`;
      this.#host.fail(
        new StreamWeldError('SW_PARTITION_UNKNOWN', `${what}. ${advice}`, {
          stage: name,
          ...(cause === undefined ? {} : { cause: cause.error }),
        }),
      );
    } else {
      this.#unknown ??= this.#host.unknownOutlet();
      this.#unknown.accept(piece);
    }
  }
}
