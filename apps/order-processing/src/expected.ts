/** What the orders must come to: counted one by one, without StreamWeld, a database or a mail. */

import { addUp, type Sales } from './analytics.ts';
import { isBlocked, silencesOf } from './cards.ts';
import { messageIdOf, textOf } from './mailer.ts';
import { numberOf, type Order, orderAt } from './orders.ts';
import { subjectOf } from './people.ts';

export interface ExpectedMail {
  readonly to: string;
  readonly toName: string;
  readonly subject: string;
  readonly text: string;
}

export interface Expected {
  readonly orders: number;
  readonly lines: number;
  /** Those that cannot be paid before the issuers lift their blocks. */
  readonly blocked: ReadonlySet<number>;
  /** Those about which the network did not answer at first. */
  readonly silent: ReadonlySet<number>;
  /** Of all that can be paid. */
  readonly cents: number;
  readonly sales: Sales;
  /** By the id of the message. */
  readonly mails: ReadonlyMap<string, ExpectedMail>;
}

/** @param done the last order that counts. */
export function expect(seed: number, done: number): Expected {
  const orders = Array.from({ length: done }, (_, index) => orderAt(seed, index + 1));
  const idsOf = (wanted: (card: string) => boolean) =>
    new Set(orders.filter(({ customer }) => wanted(customer.card)).map(({ id }) => id));
  const blocked = idsOf(isBlocked);
  return {
    orders: done,
    lines: orders.reduce((sum, { lines }) => sum + lines.length, 0),
    blocked,
    silent: idsOf((card) => silencesOf(card) > 0),
    cents: orders.reduce((sum, { id, cents }) => sum + (blocked.has(id) ? 0 : cents), 0),
    sales: addUp(orders),
    mails: new Map(orders.map((order) => [messageIdOf(order.id), mailOf(order)])),
  };
}

function mailOf(order: Order): ExpectedMail {
  const { name, email, country } = order.customer;
  return { to: email, toName: name, subject: subjectOf(country, numberOf(order)), text: textOf(order) };
}
