/** The network of cards: it stands in for the provider that a shop would ask, and answers alike for the same card. */

import type { Order } from './orders.ts';
import { hash } from './random.ts';

/** Of a hundred cards, how many an issuer has blocked, and how many do not answer at first. */
const BLOCKED = 1;
const SILENT = 4;
/** How often the most stubborn of those does not answer before it does. */
export const MOST_SILENCES = 3;

export type Answer = 'approved' | 'blocked' | 'silent';

/** Whether its issuer has blocked it. */
export function isBlocked(card: string): boolean {
  return hash(card) % 100 < BLOCKED;
}

/** How often the network does not answer about an order that is paid with it, before it does. */
export function silencesOf(card: string): number {
  const chance = hash(card) % 100;
  return chance >= BLOCKED && chance < BLOCKED + SILENT ? 1 + ((hash(card) >>> 8) % MOST_SILENCES) : 0;
}

export class CardNetwork {
  readonly #isMended: boolean;
  /** How often it was silent about an order. */
  readonly #silences = new Map<number, number>();

  /** @param isMended the issuers have lifted their blocks. */
  constructor(isMended: boolean) {
    this.#isMended = isMended;
  }

  /** It may be asked again about the same order: the order is the key by which it knows that it is the same payment. */
  authorise({ id, customer: { card } }: Order): Answer {
    if (isBlocked(card)) return this.#isMended ? 'approved' : 'blocked';
    const silences = this.#silences.get(id) ?? 0;
    if (silences >= silencesOf(card)) return 'approved';
    this.#silences.set(id, silences + 1);
    return 'silent';
  }
}
