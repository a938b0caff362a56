/**
 * States that a strategy is asked in, drawn from a seed: items that wait, outlets with room or without.
 *
 *     seed ──► state ──► dispatch ──► answer ──► the state after it: the rest first, other demands, other outlets ──► …
 *
 * What was asked and answered is kept, so that a failure can tell it.
 */

import { inspect } from 'node:util';
import { type DispatchStrategy, type OutletState, UNROUTED } from '@streamweld/core';
import { Random } from './random.ts';
import type { AnyStrategyHarness } from './strategy-harness.ts';

/** What `dispatch` is given. */
export interface StrategyState {
  readonly items: readonly unknown[];
  readonly from: number;
  readonly outlets: readonly OutletState<unknown>[];
}

/** A delivery, with the place of each item in the list that was given; undefined for one that was not in it. */
interface SeenDelivery {
  readonly outlet: number;
  readonly items: readonly unknown[];
  readonly places: readonly (number | undefined)[];
}

/** One call and its answer. The outlets are as they were then. */
export interface Asked extends StrategyState {
  readonly taken: number;
  readonly deliveries: readonly SeenDelivery[];
}

/** Which demands a state is to have. */
export type Demands = 'any' | 'none' | 'everywhere';

/** An outlet whose demand changes while it is there, as a dispatcher's does. */
interface LiveOutlet extends OutletState<unknown> {
  demand: number;
}

interface Call extends StrategyState {
  answer?: Omit<Asked, keyof StrategyState>;
}

export class StrategyStates {
  readonly seed: number;
  readonly #harness: AnyStrategyHarness;
  readonly #chance: Random;
  readonly #indexes = new Map<unknown, number>();
  readonly #calls: Call[] = [];
  #nextItem: number;
  #names = 0;

  constructor(harness: AnyStrategyHarness, seed: number) {
    this.seed = seed;
    this.#harness = harness;
    this.#chance = new Random(seed);
    this.#nextItem = this.#chance.integer(0, 999);
  }

  /** A strategy for these states: each time a new one, with the same chance. */
  create(): DispatchStrategy<unknown> {
    const chance = new Random(this.seed ^ 0x5eed);
    return this.#harness.create(() => chance.next());
  }

  draw(demands: Demands = 'any'): StrategyState {
    const chance = this.#chance;
    const from = chance.chance(0.5) ? 0 : chance.integer(1, 6);
    const items = this.#items(from + chance.integer(1, chance.pick([2, 8, 24])));
    return { items, from, outlets: this.#outlets(demands) };
  }

  /** What may follow: what was left comes first, demands have changed, and outlets have come and gone. */
  follow({ items, from, outlets }: StrategyState, { taken }: Asked): StrategyState {
    const chance = this.#chance;
    const at = from + Math.max(0, Math.min(items.length - from, taken));
    const isRest = at < items.length && chance.chance(0.5);
    const others = this.#rosterAfter(outlets as readonly LiveOutlet[]);
    const demands = chance.chance(0.3) ? 'everywhere' : 'any';
    for (const outlet of others) outlet.demand = this.#demand(demands);
    if (isRest) return { items, from: at, outlets: others };
    const rest = items.slice(at);
    const more = this.#items(chance.integer(rest.length === 0 ? 1 : 0, 12));
    return { items: [...rest, ...more], from: 0, outlets: others };
  }

  /**
   * Asks a strategy, and keeps what it answered.
   * @throws Error where its answer is none.
   */
  ask(strategy: DispatchStrategy<unknown>, { items, from, outlets }: StrategyState): Asked {
    // What it is given may change later, or be changed by it.
    const state = { items: [...items], from, outlets: outlets.map((outlet) => ({ ...outlet })) };
    const call: Call = state;
    this.#calls.push(call);
    const answer: unknown = strategy.dispatch(items, from, outlets);
    if (isThenable(answer)) throw new Error('It answers a promise.');
    if (!isDispatch(answer)) {
      throw new Error(`It answers ${inspect(answer, { depth: 3 })}, which is no dispatch.`);
    }
    const places = new Map(state.items.map((item, place) => [item, place]));
    call.answer = {
      taken: answer.taken,
      deliveries: answer.deliveries.map(({ outlet, items: given }) => ({
        outlet,
        items: given,
        places: given.map((item) => places.get(item)),
      })),
    };
    return { ...state, ...call.answer };
  }

  /** How much there is to read. */
  get size(): number {
    return this.#calls.reduce((sum, { items, outlets }) => sum + items.length + 2 * outlets.length + 5, 0);
  }

  /** All calls with their answers, the last of which was wrong. */
  tell(): string {
    return this.#calls.map((call) => this.#textOf(call)).join('\n');
  }

  #items(count: number): unknown[] {
    return Array.from({ length: count }, () => {
      const item = this.#harness.item(this.#nextItem);
      if (this.#indexes.has(item)) {
        throw new Error(
          `The harness makes item ${this.#nextItem} the same as item ${this.#indexes.get(item)}: ${inspect(item)}.`,
        );
      }
      this.#indexes.set(item, this.#nextItem);
      this.#nextItem += 1;
      return item;
    });
  }

  #outlets(demands: Demands): LiveOutlet[] {
    const fixed = this.#harness.outlets;
    if (fixed !== undefined) {
      return fixed.map(({ name, partition, selector }) => ({
        name,
        partition,
        selector,
        demand: this.#demand(demands),
      }));
    }
    const count = this.#chance.integer(demands === 'everywhere' ? 1 : 0, 6);
    const isSelective = this.#chance.chance(0.5);
    return Array.from({ length: count }, () => this.#outlet(demands, isSelective));
  }

  #outlet(demands: Demands, isSelective: boolean): LiveOutlet {
    const chance = this.#chance;
    this.#names += 1;
    const name = `${chance.pick(['sink', 'a', 'Ω', '0', 'constructor'])} ${this.#names}`;
    const partition = chance.chance(0.8) ? undefined : chance.pick([0, 1, '0', 'eu', this.#names]);
    return { name, partition, demand: this.#demand(demands), selector: this.#selector(isSelective) };
  }

  #selector(isSelective: boolean): ((item: unknown) => boolean) | undefined {
    const chance = this.#chance;
    if (!isSelective || chance.chance(0.4)) return undefined;
    const step = chance.integer(1, 4);
    // Beyond the step: it wants none.
    const rest = chance.integer(0, step);
    return (item) => (this.#indexes.get(item) ?? -1) % step === rest;
  }

  #demand(demands: Demands): number {
    const chance = this.#chance;
    if (demands === 'none') return 0;
    if (demands === 'any' && chance.chance(0.25)) return 0;
    return chance.chance(0.15) ? Number.POSITIVE_INFINITY : chance.integer(1, chance.pick([2, 6, 12]));
  }

  #rosterAfter(before: readonly LiveOutlet[]): LiveOutlet[] {
    // A partition keeps its place; its sink may be another.
    if (this.#harness.outlets !== undefined) {
      return before.map((outlet) => (this.#chance.chance(0.3) ? { ...outlet } : outlet));
    }
    const roster = before.filter(() => this.#chance.chance(0.7));
    for (let coming = this.#chance.integer(0, 2); coming > 0 && roster.length < 8; coming -= 1) {
      const at = this.#chance.integer(0, roster.length);
      roster.splice(at, 0, this.#outlet('any', this.#chance.chance(0.3)));
    }
    return this.#chance.chance(0.3) ? roster.reverse() : roster;
  }

  #textOf({ items, from, outlets, answer }: Call): string {
    const indexes = items.map((item) => this.#indexes.get(item));
    const lines = [`  dispatch of ${listOf(indexes)}, from place ${from} on, to ${outlets.length} outlets`];
    for (const [at, { name, partition, demand, selector }] of outlets.entries()) {
      const part = partition === undefined ? '' : `, partition ${inspect(partition)}`;
      const wanted = selector === undefined ? undefined : items.slice(from).filter((item) => selector(item));
      const wants =
        wanted === undefined ? '' : `, wants ${listOf(wanted.map((item) => this.#indexes.get(item)))}`;
      lines.push(`    ${at}: ${inspect(name)}${part}, demand ${demand}${wants}`);
    }
    if (answer !== undefined) {
      const given = answer.deliveries.map(({ outlet, items: share }) => {
        const to = outlet === UNROUTED ? 'nowhere (UNROUTED)' : `to ${outlet}`;
        return `${listOf(share.map((item) => this.#indexes.get(item)))} ${to}`;
      });
      lines.push(
        `  answered: ${answer.taken} taken; ${given.length === 0 ? 'no delivery' : given.join('; ')}`,
      );
    }
    return lines.join('\n');
  }
}

/** `items 3 to 9, 12`: neighbours are joined. */
function listOf(indexes: readonly (number | undefined)[]): string {
  if (indexes.length === 0) return 'no items';
  const parts: string[] = [];
  for (let at = 0; at < indexes.length; ) {
    const first = indexes[at];
    let end = at + 1;
    while (first !== undefined && indexes[end] === first + (end - at)) end += 1;
    if (first === undefined) parts.push('a stranger');
    else parts.push(end - at === 1 ? `${first}` : `${first} to ${indexes[end - 1]}`);
    at = end;
  }
  return `items ${parts.join(', ')}`;
}

export function isThenable(value: unknown): boolean {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function';
}

function isDispatch(
  answer: unknown,
): answer is { taken: number; deliveries: { outlet: number; items: unknown[] }[] } {
  const { taken, deliveries } = (answer ?? {}) as { taken?: unknown; deliveries?: unknown };
  return (
    typeof taken === 'number' &&
    Array.isArray(deliveries) &&
    deliveries.every(
      (each: unknown) =>
        typeof (each as { outlet?: unknown } | null)?.outlet === 'number' &&
        Array.isArray((each as { items?: unknown }).items),
    )
  );
}
