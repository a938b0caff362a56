/** How far each service is, as their processes tell it, and when there is nothing more to wait for. */

import { Ledger } from './ledger.ts';
import { whole } from '@streamweld/app-kit/numbers';
import { type Role, ROLES } from './roles.ts';

/** Longer than a group takes to notice that a member is gone, on a machine that has other work too. */
const SILENCE_MS = 60_000;

export class Following implements Disposable {
  readonly ledgers: Readonly<Record<Role, Ledger>>;
  /** Resolves when each service has done what was sent, is lost, or is silent for long. */
  readonly over: Promise<void>;
  readonly #size: number;
  readonly #lost = new Set<Role>();
  #sent: number | undefined;
  #end: () => void = () => {};
  #silence: NodeJS.Timeout | undefined;

  /** @param size how many departures there may be. */
  constructor(size: number) {
    this.#size = size;
    this.ledgers = Object.fromEntries(ROLES.map((role) => [role, new Ledger(size)])) as Record<Role, Ledger>;
    this.over = new Promise((resolve) => (this.#end = resolve));
  }

  note(role: Role, process: string, ids: readonly number[], at: number): void {
    this.ledgers[role].note(process, ids, at);
    this.#look();
  }

  /** What it does not do, nobody does. */
  lose(role: Role): void {
    this.#lost.add(role);
    this.#look();
  }

  /** The input is all in the first topic. */
  sent(count: number): void {
    this.#sent = count;
    this.#look();
  }

  /** `enriched 6,200 · projection 5,900 · …` */
  line(): string {
    const each = ROLES.map((role) => `${role} ${whole(this.ledgers[role].done)}`).join(' · ');
    return `services: ${each} of ${whole(this.#sent ?? this.#size)}`;
  }

  /** Nobody waits any more. */
  [Symbol.dispose](): void {
    clearTimeout(this.#silence);
  }

  #look(): void {
    clearTimeout(this.#silence);
    const sent = this.#sent;
    if (sent === undefined) return;
    // Nothing comes to the others any more.
    const isCut = this.#lost.has('enricher');
    if (isCut || ROLES.every((role) => this.#lost.has(role) || this.ledgers[role].done >= sent)) this.#end();
    else this.#silence = setTimeout(this.#end, SILENCE_MS);
  }
}
