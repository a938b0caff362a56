import { appendFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { expect as expected } from '../src/expected.ts';
import { findMails } from '../src/found.ts';
import { MailServer } from '../src/mail-server.ts';
import { readMailbox } from '../src/mailbox.ts';
import { Mailer, messageIdOf } from '../src/mailer.ts';
import { type Order, orderAt } from '../src/orders.ts';

const orders = Array.from({ length: 120 }, (_, index) => orderAt(1, index + 1));
const isGreylisted = ({ customer }: Order) => customer.email.endsWith('@greylisted.example');

let folder: string;
let mailbox: string;
let server: MailServer | undefined;
let mailer: Mailer;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'orders-mail-'));
  mailbox = join(folder, 'mails.ndjson');
  await start();
});

afterEach(async () => {
  await end();
  await rm(folder, { recursive: true, force: true });
});

async function start(): Promise<void> {
  server = await MailServer.start(mailbox);
  mailer = new Mailer(server.port);
}

async function end(): Promise<void> {
  mailer.close();
  await server?.[Symbol.asyncDispose]();
  server = undefined;
}

describe('Mailer and MailServer', () => {
  it('names the mails that the server does not take yet, and no other; they are taken when they come again', async () => {
    const error = await mailer.write(orders).catch((thrown: unknown) => thrown);
    const late = orders.flatMap((order, index) => (isGreylisted(order) ? [index] : []));
    const { failed, retryable, message } = error as { failed: number[]; retryable: boolean; message: string };
    expect(retryable).toBe(true);
    expect(message).toBe('The mail server answers 450.');
    expect(late.length).toBeGreaterThan(10);
    // Of a customer who orders twice, the second mail is taken.
    expect(late).toEqual(expect.arrayContaining(failed));
    expect((await findMails(readMailbox(mailbox))).byId.size).toBe(orders.length - failed.length);

    await mailer.write(failed.map((index) => orders[index] as Order));
    const { byId, again } = await findMails(readMailbox(mailbox));
    expect(again).toBe(0);
    const { mails } = expected(1, orders.length);
    expect(new Set(byId.keys())).toEqual(new Set(mails.keys()));
    for (const [id, mail] of mails) {
      const { text, ...rest } = mail;
      expect(byId.get(id)).toMatchObject(rest);
      expect(byId.get(id)?.text.trimEnd()).toBe(text.trimEnd());
    }
  });

  it('keep what was accepted before, and cut off what a kill has torn', async () => {
    const [first, second] = orders.filter((order) => !isGreylisted(order)) as [Order, Order];
    await mailer.write([first]);
    await end();
    await appendFile(mailbox, '{"to":["a@mail.example"],"raw":"Message-ID: <to');
    await start();
    await mailer.write([second, first]);
    const { byId, again, different } = await findMails(readMailbox(mailbox));
    expect([...byId.keys()].sort()).toEqual([messageIdOf(first.id), messageIdOf(second.id)].sort());
    expect([again, different]).toEqual([1, 0]);
  });

  it('say that the server does not answer, where there is none', async () => {
    await server?.[Symbol.asyncDispose]();
    server = undefined;
    await expect(mailer.write(orders.slice(0, 2))).rejects.toMatchObject({
      message: 'The mail server answers nothing.',
      retryable: true,
      failed: [0, 1],
    });
  });
});
