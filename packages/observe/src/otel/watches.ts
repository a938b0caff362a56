/**
 * What is watched, each once: however often it is asked for, and however many pipelines feed it.
 *
 *     otel(a) ──holds──► a ──holds──► dispatcher      a dispatcher is let go with the last that holds it,
 *     otel(b) ──holds──► b ──holds──►     ┘           a pipeline when its run has ended
 */

import type { Watchable } from '@streamweld/core';
import type { MessagingStages } from './messaging.ts';
import { Subject } from './subject.ts';

/** Begins to watch one. @param reach looks for what came behind it. @returns what ends it */
export type Attach = (subject: Subject, reach: () => void, end: () => void) => () => void;

interface Watch {
  readonly target: Watchable;
  readonly messaging: MessagingStages;
  readonly holders: Set<object>;
  /** What is behind it, and how each is let go. */
  readonly behind: Map<Watchable, () => void>;
  detach: () => void;
}

export class Watches {
  readonly #attach: Attach;
  readonly #watches = new WeakMap<Watchable, Watch>();

  constructor(attach: Attach) {
    this.#attach = attach;
  }

  /** @returns what lets it go, once. */
  hold(target: Watchable, messaging: MessagingStages): () => void {
    const watch = this.#watches.get(target) ?? this.#begin(target, messaging);
    const holder = {};
    watch.holders.add(holder);
    return () => {
      if (watch.holders.delete(holder) && watch.holders.size === 0) this.#end(watch);
    };
  }

  #begin(target: Watchable, messaging: MessagingStages): Watch {
    const watch: Watch = { target, messaging, holders: new Set(), behind: new Map(), detach: () => {} };
    // Known before what is behind it: nothing is watched twice, whatever leads to it.
    this.#watches.set(target, watch);
    const end = (): void => this.#end(watch);
    watch.detach = this.#attach(new Subject(target, messaging), () => this.#reach(watch), end);
    this.#reach(watch);
    void target.ended?.().then(end, end);
    return watch;
  }

  #reach({ target, messaging, behind }: Watch): void {
    for (const inner of target.behind().values())
      if (!behind.has(inner)) behind.set(inner, this.hold(inner, messaging));
  }

  #end(watch: Watch): void {
    if (this.#watches.get(watch.target) !== watch) return;
    this.#watches.delete(watch.target);
    watch.holders.clear();
    watch.detach();
    for (const release of watch.behind.values()) release();
    watch.behind.clear();
  }
}
