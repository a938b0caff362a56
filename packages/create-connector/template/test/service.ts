/**
 * The service that the tests run against, and what they do to it. Here it is the example in memory; of yours, find one that
 * runs (an address in the environment), or start one, and say why where there is none.
 */

import { MemoryServer } from '../src/memory-server.ts';
import type { TemplateNameOptions } from '../src/options.ts';

const PASSWORD = 'the password of the tests';

let services = 0;
let logs = 0;

export class Service {
  readonly #server: MemoryServer;

  constructor() {
    services += 1;
    this.#server = new MemoryServer(`memory://tests-${services}`, PASSWORD);
  }

  /** How to reach it, for a source or a sink. @param password Default: the right one. */
  options(log: string, password: string = PASSWORD): TemplateNameOptions {
    return { connection: { url: this.#server.url, password }, log };
  }

  /** A log that nobody has used. */
  freshLog(): string {
    logs += 1;
    return `log-${logs}`;
  }

  /** No two items alike, and each with a word of eight letters or more in it, which then must be in no error. */
  item(index: number): string {
    return `an item told apart from all others: ${index}`;
  }

  /** @returns the items that the log has now. */
  seed(log: string, count: number): readonly string[] {
    const items = this.#server.log(log);
    for (let index = 0; index < count; index += 1) items.push(this.item(index));
    return [...items];
  }

  read(log: string): readonly string[] {
    return [...this.#server.log(log)];
  }

  remove(log: string): void {
    this.#server.logs.delete(log);
  }

  /** Longer than the server takes. */
  badItem(secret: string): string {
    return secret.padEnd(20_000, '.');
  }

  /** The next request is lost. */
  interrupt(): void {
    this.#server.losses += 1;
  }

  /** It answers nobody, until what is answered here is called. */
  stall(): () => void {
    return this.#server.stall();
  }

  /** All connections end, as with the process that has them. */
  kill(): void {
    this.#server.connections.clear();
  }

  get connections(): number {
    return this.#server.connections.size;
  }

  stop(): void {
    this.#server.close();
  }
}
