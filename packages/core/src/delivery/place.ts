/** Where an item lies in its source, as far as its claims tell. */

import { Receipt } from './lane.ts';
import type { Claim, Part } from './parcel.ts';

interface Place {
  readonly lane: string;
  readonly after: unknown;
  readonly upTo: unknown;
}

/** The claim that the item at `index` has a share in. */
export function claimAt(parts: readonly Part[], index: number): Claim | undefined {
  let end = 0;
  for (const { receipt, items } of parts) {
    end += items;
    if (index < end) return receipt;
  }
  return parts.at(-1)?.receipt;
}

/** The receipts of source batches that a claim stands for, in the end; for one that came from no run of ours, none. */
export function receiptsOf(claim: Claim | null): Receipt[] {
  const receipts: Receipt[] = [];
  const visit = (one: Claim): void => {
    if (one instanceof Receipt) receipts.push(one);
    else for (const { receipt } of one.origins) visit(receipt);
  };
  if (claim !== null) visit(claim);
  return receipts;
}

/** The positions between which the items of a claim lie; nothing, where they come from several lanes or none. */
export function placeOf(claim: Claim | undefined): Place | undefined {
  let first: Receipt | undefined;
  let last: Receipt | undefined;
  const visit = (one: Claim): boolean => {
    if (!(one instanceof Receipt)) return one.origins.every(({ receipt }) => visit(receipt));
    first ??= one;
    last = one;
    return one.lane === first.lane;
  };
  if (claim === undefined || !visit(claim) || first === undefined || last === undefined) return undefined;
  return { lane: first.lane.label, after: first.after, upTo: last.position };
}
