/** The orders: made from a seed, each by itself, so that a run that goes on begins in the middle. */

import type { Positioned, Source, SourceContext } from '@streamweld/core';
import { productAt } from './catalogue.ts';
import { type Customer, customerAt } from './people.ts';
import { random } from './random.ts';

export interface Line {
  readonly sku: string;
  readonly quantity: number;
  /** Of one piece. */
  readonly cents: number;
}

export interface Order {
  /** From 1 on, without a gap: what the proof at the end holds on to. */
  readonly id: number;
  /** In UTC, as ISO 8601. */
  readonly placedAt: string;
  readonly customer: Customer;
  /** Each product once. */
  readonly lines: readonly Line[];
  readonly cents: number;
}

/** A Monday morning. */
const FIRST_MS = Date.UTC(2026, 10, 2, 8);
const MOST_LINES = 4;
/** Orders of one answer: a position is kept behind each. */
const MOST_AT_ONCE = 50;

/** `SW-000042`: what people are told. */
export function numberOf({ id }: Pick<Order, 'id'>): string {
  return `SW-${String(id).padStart(6, '0')}`;
}

/** @param id from 1 on. */
export function orderAt(seed: number, id: number): Order {
  const next = random(Math.imul(seed, 0x85ebca6b) ^ Math.imul(id, 0xc2b2ae35));
  const customer = customerAt(seed, next());
  const lines = new Map<string, Line>();
  // Most orders are small.
  const wanted = 1 + Math.floor(next() ** 1.5 * MOST_LINES);
  for (let line = 0; line < wanted; line += 1) {
    const { sku, cents } = productAt(next());
    const quantity = 1 + Math.floor(next() ** 3 * 4);
    lines.set(sku, { sku, quantity, cents });
  }
  const all = [...lines.values()];
  return {
    id,
    placedAt: new Date(FIRST_MS + id * 7_000 + Math.floor(next() * 7_000)).toISOString(),
    customer,
    lines: all,
    cents: all.reduce((sum, { quantity, cents }) => sum + quantity * cents, 0),
  };
}

/** The first so many orders of a seed. A position is the id of the last one before it. */
export class OrdersSource implements Source<Order, number> {
  readonly name = 'orders';
  readonly #seed: number;
  readonly #orders: number;
  #last = 0;

  constructor(seed: number, orders: number) {
    this.#seed = seed;
    this.#orders = orders;
  }

  /** The last order that was handed out, or that an earlier run was done with; 0 before the first. */
  get last(): number {
    return this.#last;
  }

  open({ positions }: SourceContext<number>): void {
    this.#last = positions.get('') ?? 0;
  }

  pull(demand: number): Positioned<Order, number> | undefined {
    const count = Math.min(demand, MOST_AT_ONCE, this.#orders - this.#last);
    if (count <= 0) return undefined;
    const first = this.#last + 1;
    const items = Array.from({ length: count }, (_, index) => orderAt(this.#seed, first + index));
    this.#last += count;
    return { items, position: this.#last };
  }

  comparePositions(a: number, b: number): number {
    return a - b;
  }
}
