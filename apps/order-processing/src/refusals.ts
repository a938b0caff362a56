/** What the app refuses, or cannot do: each with a code, and a message that says what can be done. */

import { Refusal } from '@streamweld/app-kit';

type Code =
  | 'ORDERS_FOLDER_UNUSABLE'
  | 'ORDERS_POSTGRES_UNAVAILABLE'
  | 'ORDERS_RUN_UNFINISHED'
  | 'ORDERS_RUN_MISSING'
  | 'ORDERS_LETTER_UNKNOWN';

export function refusal(code: Code, message: string, options?: ErrorOptions): Refusal {
  return new Refusal(code, message, options);
}

/** There is no Postgres to write to. */
export function postgresUnavailable(which: string, reason: string, options?: ErrorOptions): Refusal {
  return refusal(
    'ORDERS_POSTGRES_UNAVAILABLE',
    `${which}: ${reason}
Give the app a server of yours by --postgres URL or STREAMWELD_POSTGRES_URL, or leave both out: then it brings one along,
whose data is kept in the folder of --out.`,
    options,
  );
}
