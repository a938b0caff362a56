/**
 * Gives samples to all pages that are open, and takes none while none is.
 *
 *     pipeline ─► sampler ─► one text ─► page        the text is made once for all
 *                                    ├─► page
 *                                    └─✗ page        has not read the last 64 KiB: misses this one
 *
 * Nothing waits here: what a page reads too slowly it does not get, and the next it gets is the newest.
 */

import type { Watchable } from '@streamweld/core';
import type { Look } from '../shared/graph.ts';
import type { Sample } from '../shared/sample.ts';
import type { Sampler } from '../shared/sampler.ts';
import { encodeMoved, encodeSample } from './encode.ts';
import type { WireGone, WireHello, WireMoved, WireSample } from './wire.ts';

/** A page that is open. Neither of its methods throws or waits. */
export interface Page {
  send(text: string): void;
  /** It has not read what it was sent. */
  readonly isBehind: boolean;
  /** No more will come. */
  end(): void;
}

interface Shown {
  unwatch: (() => void) | undefined;
  /** The last sample that was sent, and its text for pages that come later. */
  sample: Sample | undefined;
  latest: string | undefined;
}

export class Hub {
  readonly #sampler: Sampler;
  readonly #hello: string;
  readonly #shown = new Map<Watchable, Shown>();
  readonly #pages = new Set<Page>();

  constructor(sampler: Sampler, hello: WireHello) {
    this.#sampler = sampler;
    this.#hello = event('hello', hello);
  }

  get pages(): number {
    return this.#pages.size;
  }

  /** @returns what takes it away again */
  add(target: Watchable): () => void {
    if (!this.#shown.has(target)) {
      this.#shown.set(target, { unwatch: undefined, sample: undefined, latest: undefined });
      if (this.#pages.size > 0) this.#watch(target);
    }
    return () => this.#remove(target);
  }

  /** The one with this id, which is known once a page has been told of it. */
  find(id: string): Watchable | undefined {
    for (const [target, shown] of this.#shown) if (shown.sample?.id === id) return target;
    return undefined;
  }

  /** @returns what is to be called when it has gone */
  join(page: Page): () => void {
    page.send(this.#hello);
    for (const { latest } of this.#shown.values()) if (latest !== undefined) page.send(latest);
    this.#pages.add(page);
    if (this.#pages.size === 1) for (const target of this.#shown.keys()) this.#watch(target);
    return () => {
      if (this.#pages.delete(page) && this.#pages.size === 0) this.#rest();
    };
  }

  close(): void {
    for (const page of this.#pages) page.end();
    this.#pages.clear();
    this.#rest();
    this.#shown.clear();
  }

  #watch(target: Watchable): void {
    const shown = this.#shown.get(target) as Shown;
    shown.unwatch = this.#sampler.watch(target, (sample) => this.#tell(shown, sample), {
      latency: true,
      moved: (look) => this.#moved(shown, look),
    });
  }

  #rest(): void {
    for (const shown of this.#shown.values()) {
      shown.unwatch?.();
      shown.unwatch = undefined;
    }
  }

  #remove(target: Watchable): void {
    const shown = this.#shown.get(target);
    if (shown === undefined) return;
    shown.unwatch?.();
    this.#shown.delete(target);
    if (shown.sample !== undefined) this.#sendAll(event('gone', { id: shown.sample.id }), true);
  }

  #tell(shown: Shown, sample: Sample): void {
    shown.sample = sample;
    shown.latest = event('sample', encodeSample(sample));
    // Nothing follows the last one: nobody may miss it.
    this.#sendAll(shown.latest, sample.isOver);
  }

  #moved({ sample }: Shown, look: Look): void {
    const moved = sample && encodeMoved(look, sample);
    if (moved !== undefined) this.#sendAll(event('moved', moved), false);
  }

  #sendAll(text: string, isLast: boolean): void {
    for (const page of this.#pages) if (isLast || !page.isBehind) page.send(text);
  }
}

function event(
  kind: 'hello' | 'sample' | 'moved' | 'gone',
  data: WireHello | WireSample | WireMoved | WireGone,
): string {
  return `event: ${kind}\ndata: ${JSON.stringify(data)}\n\n`;
}
