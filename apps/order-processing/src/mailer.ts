/** The sink that thanks: one mail for each order, by SMTP, over a few connections that stay open. */

import { type Sink, WriteError } from '@streamweld/core';
import { createTransport } from 'nodemailer';
import { type Order, numberOf } from './orders.ts';
import { subjectOf } from './people.ts';

const CONNECTIONS = 4;
const SHOP = 'orders.example';

/** The same for each mail about an order: who gets one twice can tell that it is the same. */
export function messageIdOf(id: number): string {
  return `<${numberOf({ id })}@${SHOP}>`;
}

/** What a mail about an order says, line by line. */
export function textOf({ customer, lines, cents }: Order): string {
  const rows = lines.map(({ sku, quantity, cents }) => `${quantity} × ${sku} ${euros(quantity * cents)}`);
  return [customer.name, '', ...rows, '', `= ${euros(cents)}`, ''].join('\n');
}

function euros(cents: number): string {
  return `${(cents / 100).toFixed(2)} €`;
}

export class Mailer implements Sink<Order> {
  readonly name = 'e-mail';
  readonly batching = { maxItems: 25 };
  readonly #transport;

  /** @param port of a server on this machine. */
  constructor(port: number) {
    this.#transport = createTransport({
      pool: true,
      host: '127.0.0.1',
      port,
      // It is this very machine.
      ignoreTLS: true,
      maxConnections: CONNECTIONS,
      maxMessages: Number.POSITIVE_INFINITY,
    });
  }

  async write(batch: readonly Order[]): Promise<void> {
    const sent = await Promise.allSettled(batch.map((order) => this.#send(order)));
    const failures = sent.flatMap((result, index) =>
      result.status === 'rejected' ? [{ index, reply: replyOf(result.reason) }] : [],
    );
    const [first] = failures;
    if (first === undefined) return;
    // 5yz: no server will ever take it. Of any other reason, 4yz or none, only what was not taken is sent again.
    const refused = failures.filter(({ reply }) => reply >= 500);
    const failed = (refused.length > 0 ? refused : failures).map(({ index }) => index);
    throw new WriteError(`The mail server answers ${first.reply || 'nothing'}.`, {
      retryable: refused.length === 0,
      failed,
    });
  }

  #send(order: Order): Promise<unknown> {
    const { name, email, country } = order.customer;
    return this.#transport.sendMail({
      messageId: messageIdOf(order.id),
      from: { name: 'Ærlig Köp', address: `thanks@${SHOP}` },
      to: { name, address: email },
      subject: subjectOf(country, numberOf(order)),
      text: textOf(order),
    });
  }

  close(): void {
    this.#transport.close();
  }
}

/** The code that the server has answered with; 0 where it has not answered. */
function replyOf(error: unknown): number {
  const { responseCode } = error as { responseCode?: number };
  return responseCode ?? 0;
}
