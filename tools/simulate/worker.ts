/** Plays the seeds that it is sent, and answers what came of them. */

import { play } from '../../packages/core/test/simulation/play.ts';

/** Seeds from `from` on. */
export interface Order {
  readonly from: number;
  readonly count: number;
}

export interface Harvest {
  readonly topologies: number;
  readonly faults: number;
  readonly counts: readonly (readonly [name: string, count: number])[];
  readonly breaches: readonly { readonly seed: number; readonly breach: string }[];
}

process.on('message', ({ from, count }: Order) => {
  void harvest(from, count).then((harvested) => process.send?.(harvested));
});

async function harvest(from: number, count: number): Promise<Harvest> {
  const counts = new Map<string, number>();
  const breaches: { seed: number; breach: string }[] = [];
  let faults = 0;
  for (let seed = from; seed < from + count; seed++) {
    const played = await play(seed);
    faults += played.faults;
    for (const [name, times] of played.counts) counts.set(name, (counts.get(name) ?? 0) + times);
    if (played.breach !== undefined) breaches.push({ seed, breach: played.breach });
  }
  return { topologies: count, faults, counts: [...counts], breaches };
}
