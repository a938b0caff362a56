/** The sink that takes the money: once for each order, however often the order comes. */

import { type Sink, WriteError } from '@streamweld/core';
import type { CardNetwork } from './cards.ts';
import type { Database } from './database.ts';
import type { Order } from './orders.ts';

export class Payments implements Sink<Order> {
  readonly name = 'payment';
  readonly batching = { maxItems: 50 };
  readonly #database: Database;
  readonly #cards: CardNetwork;
  readonly #paidBy: 'run' | 'replay';
  #paid = 0;

  /** @param paidBy is written beside each payment. */
  constructor(database: Database, cards: CardNetwork, paidBy: 'run' | 'replay') {
    this.#database = database;
    this.#cards = cards;
    this.#paidBy = paidBy;
  }

  /** Orders that were paid here, and had not been before. */
  get paid(): number {
    return this.#paid;
  }

  async write(batch: readonly Order[]): Promise<void> {
    const answers = batch.map((order) => this.#cards.authorise(order));
    const indexes = (wanted: string) =>
      answers.flatMap((answer, index) => (answer === wanted ? [index] : []));
    await this.#pay(indexes('approved').map((index) => batch[index] as Order));
    const [blocked, silent] = [indexes('blocked'), indexes('silent')];
    // These cannot succeed, whoever tries again: they go to the dead letter, and the others come again without them.
    if (blocked.length > 0) {
      throw new WriteError('The issuer has blocked the card.', { retryable: false, failed: blocked });
    }
    if (silent.length > 0) throw new WriteError('The issuer does not answer.', { failed: silent });
  }

  /** An order that is paid already stays as it is: whoever writes it again, after a crash or by a replay, harms nothing. */
  async #pay(orders: readonly Order[]): Promise<void> {
    if (orders.length === 0) return;
    const rows = await this.#database.query(
      `insert into payments select *, $4 from unnest($1::int[], $2::text[], $3::int[])
         on conflict do nothing returning order_id`,
      [
        orders.map(({ id }) => id),
        orders.map(({ customer }) => customer.card),
        orders.map(({ cents }) => cents),
        this.#paidBy,
      ],
    );
    this.#paid += rows.length;
  }
}
