/** Puts entries to the rules, one after the other, and tells when one begins to hold. */

import type { Entry } from './entry.ts';
import { MOST_IN_WINDOW, RULES, type Rule } from './rules.ts';

export interface Alert {
  /** `errors/access.log:17`: the rule, and the entry with which it began to hold. */
  readonly id: string;
  readonly rule: string;
  readonly service: string;
  readonly text: string;
  /** The last line. */
  readonly entry: Entry;
}

interface Window {
  /** The oldest first. */
  readonly entries: { readonly at: number; readonly entry: Entry }[];
  /** Times of a log may go back a little, as requests end in another order than they began: its clock does not. */
  clock: number;
  isRaised: boolean;
}

export class Watch {
  readonly #windows = new Map<string, Window>();
  /** By log: an entry that is written again is not counted twice. */
  readonly #lastLines = new Map<string, number>();

  /** What begins to hold with this entry. Entries of a log come in the order of their lines. */
  see(entry: Entry): Alert[] {
    if (entry.line <= (this.#lastLines.get(entry.log) ?? 0)) return [];
    this.#lastLines.set(entry.log, entry.line);
    return RULES.flatMap((rule) => this.#put(entry, rule) ?? []);
  }

  #put(entry: Entry, rule: Rule): Alert | undefined {
    if (!rule.counts(entry)) return undefined;
    const { log, service } = entry;
    const window = this.#windowOf(`${rule.name}\n${log}\n${service}`);
    window.clock = Math.max(window.clock, entry.at ?? 0);
    const { entries, clock } = window;
    entries.push({ at: clock, entry });
    while (entries.length > MOST_IN_WINDOW || (entries[0]?.at ?? clock) <= clock - rule.windowMs)
      entries.shift();
    const text = rule.judge(entries.map((each) => each.entry));
    const isNew = text !== undefined && !window.isRaised;
    window.isRaised = text !== undefined;
    return isNew ? { id: `${rule.name}/${entry.id}`, rule: rule.name, service, text, entry } : undefined;
  }

  #windowOf(key: string): Window {
    let window = this.#windows.get(key);
    if (window === undefined) {
      window = { entries: [], clock: 0, isRaised: false };
      this.#windows.set(key, window);
    }
    return window;
  }
}
