/**
 * The example to replace: logs of texts on a server in memory, and the client that reaches it. It behaves like a real one:
 * it answers later, wants a password, refuses items, loses connections and stands still. Delete this file when client.ts
 * imports the client of your system.
 */

/** A longer item is refused. */
const MAX_ITEM_LENGTH = 10_000;

const servers = new Map<string, MemoryServer>();

/** What the client throws: a code, as those of Node have. */
class MemoryError extends Error {
  readonly code: string;

  constructor(code: string) {
    super(`The server in memory answers ${code}.`);
    this.code = code;
  }
}

/** @throws Error ECONNREFUSED, EAUTH; the reason of the signal. */
export async function connect(
  url: string,
  password: string | undefined,
  signal: AbortSignal,
): Promise<MemoryConnection> {
  const server = servers.get(url);
  if (server === undefined) throw new MemoryError('ECONNREFUSED');
  await server.ready(signal);
  if (server.password !== password) throw new MemoryError('EAUTH');
  return new MemoryConnection(server);
}

export class MemoryServer {
  readonly url: string;
  readonly password: string | undefined;
  readonly logs: Map<string, string[]> = new Map();
  /** By the log they are kept in, and the name they are kept under. */
  readonly positions: Map<string, Map<string, unknown>> = new Map();
  readonly connections: Set<MemoryConnection> = new Set();
  /** So many of the next requests are lost before they arrive. */
  losses = 0;
  #isStalled = false;
  readonly #waiting = new Set<() => void>();

  constructor(url: string, password?: string) {
    this.url = url;
    this.password = password;
    servers.set(url, this);
  }

  log(name: string): string[] {
    const log = this.logs.get(name) ?? [];
    this.logs.set(name, log);
    return log;
  }

  /** From now on it answers nobody, until what is answered here is called. */
  stall(): () => void {
    this.#isStalled = true;
    return () => {
      this.#isStalled = false;
      for (const wake of this.#waiting) wake();
    };
  }

  close(): void {
    servers.delete(this.url);
    for (const connection of this.connections) void connection.close();
  }

  /** Resolves when it answers, which is never at once. Rejects with the reason of the signal. */
  async ready(signal: AbortSignal): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#isStalled && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          signal.removeEventListener('abort', wake);
          this.#waiting.delete(wake);
          resolve();
        };
        signal.addEventListener('abort', wake);
        this.#waiting.add(wake);
      });
    }
    signal.throwIfAborted();
  }
}

export class MemoryConnection {
  readonly #server: MemoryServer;

  constructor(server: MemoryServer) {
    this.#server = server;
    server.connections.add(this);
  }

  read(log: string, from: number, max: number, signal: AbortSignal): Promise<readonly string[]> {
    return this.#request(signal, () => this.#server.log(log).slice(from, from + max));
  }

  count(log: string, signal: AbortSignal): Promise<number> {
    return this.#request(signal, () => this.#server.log(log).length);
  }

  append(
    log: string,
    items: readonly string[],
    kept: { readonly name: string; readonly positions: ReadonlyMap<string, unknown> } | undefined,
    signal: AbortSignal,
  ): Promise<readonly number[]> {
    return this.#request(signal, () => {
      const refused = items.flatMap((item, index) => (item.length > MAX_ITEM_LENGTH ? [index] : []));
      if (refused.length > 0) return refused;
      for (const item of items) this.#server.log(log).push(item);
      if (kept !== undefined) {
        const before = this.#server.positions.get(`${log}/${kept.name}`) ?? [];
        this.#server.positions.set(`${log}/${kept.name}`, new Map([...before, ...kept.positions]));
      }
      return [];
    });
  }

  positions(log: string, name: string, signal: AbortSignal): Promise<ReadonlyMap<string, unknown>> {
    return this.#request(signal, () => new Map(this.#server.positions.get(`${log}/${name}`)));
  }

  async close(): Promise<void> {
    this.#server.connections.delete(this);
  }

  /** Arrives and is done in one step, or not at all. */
  async #request<T>(signal: AbortSignal, work: () => T): Promise<T> {
    await this.#server.ready(signal);
    if (this.#server.losses > 0) {
      this.#server.losses -= 1;
      throw new MemoryError('ECONNRESET');
    }
    if (!this.#server.connections.has(this)) throw new MemoryError('ECONNRESET');
    return work();
  }
}
