/** A Postgres of the app's own: it runs as long as the app does, and its data stays in the folder of the run. */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Refusal } from './refusals.ts';

/** What the process that keeps the server tells: where it is, or why there is none. */
export type KeeperTold = { readonly url: string } | { readonly failure: string };

/** There is no Postgres to write to. Its message says why, and what can be done. */
export class PostgresUnavailable extends Refusal {
  constructor(which: string, reason: string, options?: ErrorOptions) {
    super(
      'ORDERS_POSTGRES_UNAVAILABLE',
      `${which}: ${reason}
Give the app a server of yours by --postgres URL or STREAMWELD_POSTGRES_URL, or leave both out: then it brings one along,
whose data is kept in the folder of --out.`,
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
   * @param folder of its data, which is made where it is missing.
   * @param signal gives it up.
   * @throws PostgresUnavailable
   */
  static async start(folder: string, signal: AbortSignal): Promise<OwnServer> {
    signal.throwIfAborted();
    const keeper = fork(fileURLToPath(new URL('./server-keeper.mjs', import.meta.url)), [folder], {
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
        'The Postgres that the app brings along did not start',
        'failure' in told ? told.failure : 'its keeper is gone',
      );
    } finally {
      signal.removeEventListener('abort', giveUp);
    }
  }

  /** Ends it: its data is all that is left of it then. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#keeper.connected) this.#keeper.disconnect();
    await this.#exited;
  }
}
