/** Who links to whom, and what became of each address. It is kept in memory: a number for each link, a text for each address. */

import { keyOf } from './address.ts';
import type { Task } from './frontier.ts';

/** What became of an address that was admitted. A `file` is there and is no HTML. */
export type VisitKind = 'page' | 'file' | 'redirect' | 'broken' | 'disallowed';

export interface Visit {
  readonly task: Task;
  readonly kind: VisitKind;
  /** Of the last answer, if there was one. */
  readonly status?: number | undefined;
  /** Why it is broken. */
  readonly reason?: string | undefined;
  /** Where it redirects to. */
  readonly to?: string | undefined;
  readonly title?: string | undefined;
}

/** A line of the file. */
export interface Link {
  readonly from: string;
  readonly to: string;
  /** What `to` is; `not visited` for what lies elsewhere or beyond a limit. */
  readonly what: VisitKind | 'not visited';
}

export interface Linked {
  readonly address: string;
  /** Other pages that link to it. */
  readonly from: readonly string[];
}

export interface Broken extends Linked {
  readonly reason: string;
}

export class LinkGraph {
  /** By key: links differ in what means the same. */
  readonly #visits = new Map<string, Visit>();
  readonly #numbers = new Map<string, number>();
  /** The first address that was seen of each key. */
  readonly #addresses: string[] = [];
  readonly #links = new Map<number, Uint32Array>();

  note(visit: Visit, links: readonly string[] = []): void {
    const { address } = visit.task;
    this.#visits.set(keyOf(address), visit);
    if (links.length === 0) return;
    const targets = new Set(links.map((link) => this.#numberOf(link)));
    this.#links.set(this.#numberOf(address), Uint32Array.from(targets));
  }

  get visits(): Iterable<Visit> {
    return this.#visits.values();
  }

  count(kind: VisitKind): number {
    let sum = 0;
    for (const visit of this.#visits.values()) if (visit.kind === kind) sum += 1;
    return sum;
  }

  visitOf(address: string): Visit | undefined {
    return this.#visits.get(keyOf(address));
  }

  *links(): Generator<Link> {
    for (const [from, targets] of this.#links)
      for (const target of targets) {
        const to = this.#addressOf(target);
        yield { from: this.#addressOf(from), to, what: this.#kindOf(to) };
      }
  }

  /**
   * Pages, those first that most other pages link to.
   * @param top what their addresses begin with
   */
  mostLinked(count: number, top = ''): Linked[] {
    const linked = [...this.#linkedFrom()]
      .map(([address, from]) => ({ address, from }))
      .filter(({ address }) => address.startsWith(top) && this.visitOf(address)?.kind === 'page');
    return linked
      .sort((a, b) => b.from.length - a.from.length || (a.address < b.address ? -1 : 1))
      .slice(0, count);
  }

  /** What cannot be reached, redirects in a circle included. */
  broken(): Broken[] {
    const linkedFrom = this.#linkedFrom();
    return [...this.#visits.values()].flatMap(({ task: { address, from }, kind, reason }) => {
      const why =
        kind === 'broken' ? (reason ?? '') : this.#isCircle(address) ? 'it redirects in a circle' : undefined;
      if (why === undefined) return [];
      return [{ address, reason: why, from: linkedFrom.get(address) ?? (from === undefined ? [] : [from]) }];
    });
  }

  #kindOf(address: string): Link['what'] {
    const kind = this.visitOf(address)?.kind ?? 'not visited';
    return kind === 'redirect' && this.#isCircle(address) ? 'broken' : kind;
  }

  #isCircle(address: string): boolean {
    const seen = new Set<string>();
    for (let visit = this.visitOf(address); visit?.to !== undefined; visit = this.visitOf(visit.to)) {
      const key = keyOf(visit.task.address);
      if (seen.has(key)) return true;
      seen.add(key);
    }
    return false;
  }

  #linkedFrom(): Map<string, string[]> {
    const linked = new Map<string, string[]>();
    for (const { from, to } of this.#pairs()) {
      const others = linked.get(to);
      if (others === undefined) linked.set(to, [from]);
      else others.push(from);
    }
    return linked;
  }

  *#pairs(): Generator<{ from: string; to: string }> {
    for (const [from, targets] of this.#links)
      for (const target of targets)
        if (target !== from) yield { from: this.#addressOf(from), to: this.#addressOf(target) };
  }

  #numberOf(address: string): number {
    const key = keyOf(address);
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    const number = this.#addresses.length;
    this.#numbers.set(key, number);
    this.#addresses.push(address);
    return number;
  }

  #addressOf(number: number): string {
    return this.#addresses[number] ?? '';
  }
}
