/** What must hold at the end, put to the test: plain functions of what was expected and what was found. */

import type { Sum } from './analytics.ts';
import type { Expected, ExpectedMail } from './expected.ts';
import type { Mails, Paid, Reserved, Sold } from './found.ts';
import type { Mail } from './mailbox.ts';
import { money, whole } from './numbers.ts';

/** One thing that must hold, and whether it does. */
export interface Check {
  readonly holds: boolean;
  /** The part of the app that it is about. */
  readonly of: string;
  readonly text: string;
}

/** @param dead the orders in the dead letter. */
export function checkPayments(paid: Paid, dead: ReadonlySet<number>, expected: Expected): Check[] {
  const { orders, blocked, silent } = expected;
  const ids = Array.from({ length: orders }, (_, index) => index + 1);
  const neither = ids.filter((id) => !paid.ids.has(id) && !dead.has(id)).length;
  const both = ids.filter((id) => paid.ids.has(id) && dead.has(id)).length;
  const strange = [...paid.ids, ...dead].filter((id) => id > orders).length;
  const answered = [...silent].filter((id) => paid.ids.has(id)).length;
  const of = 'payment';
  return [
    {
      of,
      holds: neither === 0 && both === 0 && strange === 0,
      text: `${whole(orders)} orders: ${whole(paid.ids.size)} paid once, ${whole(dead.size)} in the dead letter, ${whole(neither)} in neither, ${whole(both)} in both`,
    },
    {
      of,
      holds: [...dead].every((id) => blocked.has(id)) && dead.size === blocked.size,
      text: `${whole(dead.size)} of ${whole(blocked.size)} orders with a blocked card are in the dead letter, and no other`,
    },
    {
      of,
      holds: answered === silent.size,
      text: `${whole(answered)} of ${whole(silent.size)} orders about which nobody answered at first are paid`,
    },
    {
      of,
      holds: paid.cents === expected.cents,
      text: `${money(paid.cents)} taken, of ${money(expected.cents)} that can be`,
    },
  ];
}

export function checkInventory({ stock, orders, lines }: Reserved, expected: Expected): Check[] {
  const balanced = stock.filter(
    ({ initial, available, reserved }) => available === initial - reserved && available >= 0,
  ).length;
  const ordered = stock.filter(
    ({ sku, reserved, missing }) => reserved + missing === (expected.sales.byProduct.get(sku)?.count ?? 0),
  ).length;
  const inVain = stock.filter(
    ({ available, leastMissing }) => leastMissing !== null && leastMissing <= available,
  ).length;
  const of = 'inventory';
  return [
    {
      of,
      holds: balanced === stock.length,
      text: `stock is what there was less what is reserved, and never below zero, for ${balanced} of ${stock.length} products`,
    },
    {
      of,
      holds: orders === expected.orders && lines === expected.lines && ordered === stock.length,
      text: `${whole(orders)} of ${whole(expected.orders)} orders, ${whole(lines)} of ${whole(expected.lines)} lines; pieces equal for ${ordered} of ${stock.length} products`,
    },
    { of, holds: inVain === 0, text: `${inVain} products of which an order waits for pieces that are there` },
  ];
}

/** @param starts how often the run was started: after a kill a mail may come again. */
export function checkMails({ byId, again, different }: Mails, starts: number, expected: Expected): Check[] {
  const arrived = [...expected.mails.keys()].filter((id) => byId.has(id)).length;
  const intact = [...expected.mails].filter(([id, mail]) => isSame(byId.get(id), mail)).length;
  const strange = byId.size - arrived;
  const of = 'e-mail';
  const total = expected.mails.size;
  return [
    {
      of,
      holds: arrived === total && strange === 0,
      text: `${whole(arrived)} of ${whole(total)} orders have their mail, and nobody has another`,
    },
    {
      of,
      holds: intact === total,
      text: `subject, name and text are intact in ${whole(intact)} of ${whole(total)}: Ł, ş, 山, अ, 📦`,
    },
    {
      of,
      holds: different === 0 && (starts > 1 || again === 0),
      text:
        starts > 1
          ? `${whole(again)} came again after ${starts - 1 === 1 ? 'a new start' : `${starts - 1} new starts`}, each the same with the same Message-ID`
          : `${whole(again)} came twice`,
    },
  ];
}

function isSame(mail: Mail | undefined, { to, toName, subject, text }: ExpectedMail): boolean {
  return (
    mail?.to === to &&
    mail.toName === toName &&
    mail.subject === subject &&
    mail.text.trimEnd() === text.trimEnd()
  );
}

export function checkAnalytics({ byProduct, byCountry, byInventory }: Sold, { sales }: Expected): Check[] {
  const sameAsTables = equal(byProduct, byInventory);
  const products = equal(byProduct, sales.byProduct);
  const countries = equal(byCountry, sales.byCountry);
  const of = 'analytics';
  return [
    {
      of,
      holds: sameAsTables === byInventory.size && sameAsTables === byProduct.size,
      text: `pieces and money equal SQL over the lines of inventory for ${sameAsTables} of ${byInventory.size} products`,
    },
    {
      of,
      holds: products === sales.byProduct.size && countries === sales.byCountry.size,
      text: `… and the orders themselves for ${products} of ${sales.byProduct.size} products, ${countries} of ${sales.byCountry.size} countries`,
    },
  ];
}

/** How many sums are in both, and the same. */
function equal(one: ReadonlyMap<string, Sum>, other: ReadonlyMap<string, Sum>): number {
  return [...one].filter(([key, { count, cents }]) => {
    const sum = other.get(key);
    return sum?.count === count && sum.cents === cents;
  }).length;
}
