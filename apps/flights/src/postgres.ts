/** The Postgres that the flights go to. */

import { OwnPostgres, Refusal } from '@streamweld/app-kit';

/** There is no Postgres to write to. Its message says why, and what can be done. */
export class PostgresUnavailable extends Refusal {
  constructor(which: string, reason: string, options?: ErrorOptions) {
    super(
      'FLIGHTS_POSTGRES_UNAVAILABLE',
      `${which}: ${reason}
Give the demo a server of yours by --postgres URL or STREAMWELD_POSTGRES_URL, or run it with --no-postgres: then act 1
is left out, act 2 broadcasts to everything but Postgres, and act 3 writes into a file.`,
      options,
    );
  }
}

/** One of the demo's own, of which nothing is left when the demo ends. @throws PostgresUnavailable */
export function startOwn(signal: AbortSignal): Promise<OwnPostgres> {
  return OwnPostgres.start({
    signal,
    refuse: (reason) =>
      new PostgresUnavailable('The Postgres that the demo brings along did not start', reason),
  });
}
