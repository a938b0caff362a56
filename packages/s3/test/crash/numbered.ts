/** The items of the program that is killed: the same at each start, of two sizes, cut at random. */

import type { Positioned, SourceContext } from '@streamweld/core';

export interface Numbered {
  readonly id: number;
  readonly text: string;
}

export const LANE = 'numbers';

/** A thousand small ones, a thousand large ones: what is large is uploaded in parts. */
export function itemOf(id: number): Numbered {
  const isLarge = Math.floor(id / 1000) % 2 === 1;
  return { id, text: String(id % 10).repeat(isLarge ? 20_000 : 100) };
}

export class Numbers {
  readonly name = 'numbers';
  readonly total: number;
  read = 0;
  #at = 0;

  constructor(total: number) {
    this.total = total;
  }

  open({ positions }: SourceContext<number>): void {
    this.#at = positions?.get(LANE) ?? 0;
  }

  get left(): number {
    return this.total - this.#at;
  }

  pull(demand: number): Positioned<Numbered, number> | undefined {
    if (this.left === 0) return undefined;
    const count = Math.min(this.left, demand, 1 + Math.floor(Math.random() * 400));
    const from = this.#at;
    this.#at += count;
    this.read += count;
    return {
      items: Array.from({ length: count }, (_, index) => itemOf(from + index)),
      position: this.#at,
      lane: LANE,
    };
  }

  comparePositions(a: number, b: number): number {
    return a - b;
  }
}
