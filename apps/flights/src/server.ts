/** A Postgres of the demo's own, for as long as the demo runs. */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** What the process that keeps the server tells: where it is, or why there is none. */
export type KeeperTold = { readonly url: string } | { readonly failure: string };

/** There is no Postgres to write to. Its message says why, and what can be done. */
export class PostgresUnavailable extends Error {
  readonly code = 'FLIGHTS_POSTGRES_UNAVAILABLE';

  constructor(which: string, reason: string, options?: ErrorOptions) {
    super(
      `${which}: ${reason}
Give the demo a server of yours by --postgres URL or STREAMWELD_POSTGRES_URL, or run it with --no-postgres: then act 1
is left out, act 2 broadcasts to everything but Postgres, and act 3 writes into a file.`,
      options,
    );
  }
}

export class OwnServer {
  /** Of a superuser, with the password in it: not to be shown. */
  readonly url: string;
  readonly #keeper: ChildProcess;
  readonly #exited: Promise<unknown>;

  private constructor(url: string, keeper: ChildProcess, exited: Promise<unknown>) {
    this.url = url;
    this.#keeper = keeper;
    this.#exited = exited;
  }

  /**
   * @param signal gives it up.
   * @throws PostgresUnavailable
   */
  static async start(signal: AbortSignal): Promise<OwnServer> {
    signal.throwIfAborted();
    const keeper = fork(fileURLToPath(new URL('./server-keeper.mjs', import.meta.url)), {
      // A group of its own: a Ctrl-C is not for the server, which is needed to the end.
      detached: true,
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      execArgv: [],
    });
    const exited = once(keeper, 'exit');
    const giveUp = () => {
      if (keeper.connected) keeper.disconnect();
    };
    signal.addEventListener('abort', giveUp, { once: true });
    try {
      const told = await new Promise<KeeperTold>((resolve) => {
        keeper.once('message', (message: KeeperTold) => resolve(message));
        keeper.once('error', ({ message }) => resolve({ failure: message }));
        keeper.once('exit', (code) => resolve({ failure: `its keeper ended with code ${code}` }));
      });
      if ('url' in told && keeper.connected) return new OwnServer(told.url, keeper, exited);
      await exited;
      signal.throwIfAborted();
      throw new PostgresUnavailable(
        'The Postgres that the demo brings along did not start',
        'failure' in told ? told.failure : 'its keeper is gone',
      );
    } finally {
      signal.removeEventListener('abort', giveUp);
    }
  }

  /** Ends it: nothing is left of it then. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#keeper.connected) this.#keeper.disconnect();
    await this.#exited;
  }
}
