/**
 * What one sink gets of one offer, where sinks keep positions: a claim of its own.
 *
 *     offer (a write of the run)          share of sink A: 2 pieces     sealed when all of the offer is dispatched
 *     [ 1 2 3 4 5 6 │ positions ]  ──►    share of sink B: 1 piece      whole when it is sealed, and all pieces in hand
 *
 * A sink's positions may be kept only with all that it gets up to there, and an offer may be dispatched in several steps:
 * so a share is written whole, or not at all.
 */

import { type Claim, ClaimGroup, type Parcel } from '../delivery/parcel.ts';
import type { Whole } from '../delivery/whole.ts';

export class Share extends ClaimGroup {
  /** Where its sink stands when it has this share, in the lanes that move. */
  readonly positions: ReadonlyMap<string, unknown>;
  /** Nothing more comes to it. */
  isSealed = false;
  /** Items that came to it. */
  items = 0;

  /** @param claim the offer's own, of which it holds one piece. */
  constructor(claim: Claim, positions: ReadonlyMap<string, unknown>) {
    super([{ receipt: claim, items: 0 }]);
    this.positions = positions;
  }
}

/** Chooses the shares that are whole, up to the first that is not. */
export function chooseShares<T>(pending: readonly Parcel<T>[]): Whole<T> {
  const positions = new Map<string, unknown>();
  let end = 0;
  for (let at = 0; at < pending.length; ) {
    const share = pending[at]?.receipt as Share;
    let next = at;
    while (pending[next]?.receipt === share) next += 1;
    if (!share.isSealed || next - at < share.pieces) break;
    for (const [lane, position] of share.positions) positions.set(lane, position);
    at = next;
    end = next;
  }
  return { chosen: pending.slice(0, end), positions };
}
