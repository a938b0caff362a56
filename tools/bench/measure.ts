/** Contestants take turns, so that all of them meet the same weather. */

import { Corpus } from './corpus.ts';
import { type Contestant, expected, type Load, verify } from './load.ts';
import { Tally } from './sinks.ts';

/** What goes by on the wall, or what this process used of the processors, which a busy machine disturbs less. */
export const CLOCKS = {
  wall: () => performance.now(),
  cpu: () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },
} as const;

export interface Method {
  readonly items: number;
  /** Rounds that count. */
  readonly rounds: number;
  /** Rounds before them that do not. */
  readonly warmUps: number;
  readonly clock: keyof typeof CLOCKS;
}

/** How long each contestant took, in milliseconds, round by round. */
export interface Times {
  readonly load: Load;
  readonly items: number;
  /** What the file holds, for a load that reads one: then the rates are bytes a second. */
  readonly bytes: number | undefined;
  readonly times: ReadonlyMap<Contestant, readonly number[]>;
  /** The first run of each, a warm-up: before the compiler knows it. */
  readonly firsts: ReadonlyMap<Contestant, number>;
}

/** @throws Error when a sink got too little, too much or the wrong items in any round. */
export async function measure(load: Load, method: Method): Promise<Times> {
  const items = Math.ceil(method.items * (load.scale ?? 1));
  const { expects } = load;
  if (!(expects instanceof Corpus)) return takeTurns(load, items, undefined, method);
  try {
    await expects.make(items);
    return await takeTurns(load, items, expects.bytes, method);
  } finally {
    expects.remove();
  }
}

async function takeTurns(
  load: Load,
  items: number,
  bytes: number | undefined,
  { rounds, warmUps, clock }: Method,
): Promise<Times> {
  const now = CLOCKS[clock];
  const right = expected(load, items);
  const times = new Map<Contestant, number[]>(load.contestants.map((contestant) => [contestant, []]));
  const firsts = new Map<Contestant, number>();
  for (let round = -Math.min(warmUps, load.warmUps ?? warmUps); round < rounds; round++) {
    for (const [contestant, all] of times) {
      const tallies = Array.from({ length: load.sinks }, () => new Tally());
      // Of the young: a collection of everything throws the optimised code of the last run away (docs/benchmarks.md).
      globalThis.gc?.({ type: 'minor' });
      const begun = now();
      await contestant.run(items, tallies);
      const ms = now() - begun;
      contestant.check?.(tallies);
      verify(load, contestant, tallies, right);
      if (!firsts.has(contestant)) firsts.set(contestant, ms);
      if (round >= 0) all.push(ms);
    }
  }
  return { load, items, bytes, times, firsts };
}
