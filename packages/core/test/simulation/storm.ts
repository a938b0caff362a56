/** Plays the worlds of many seeds, and says of each that broke a rule how to see it again. */

import { describe, expect, it } from 'vitest';
import { describePlan } from './plan.ts';
import { play } from './play.ts';

/** How many seeds a file of tests plays. The first is in every run of the tests, all four in `pnpm test:deep`. */
const SEEDS_PER_SHARD = 5100;

/** The worlds of one file are played in one test: on a busy machine that takes some minutes. */
const SHARD_MS = 1_200_000;

/** Faults that each shard must reach: ten for each world. */
const LEAST_FAULTS = 10 * SEEDS_PER_SHARD;

interface Storm {
  readonly topologies: number;
  readonly faults: number;
  readonly counts: ReadonlyMap<string, number>;
  /** Of each breach: the topology, the end of its trace, and the command that plays it again. */
  readonly breaches: readonly string[];
}

/** What a shard must have reached, and how often at least: every kind of fault, branch of a policy and way to end. */
const REACHED: readonly (readonly [least: number, names: readonly string[]])[] = [
  [
    10,
    [
      'fault: abort',
      'fault: bad items',
      'fault: commit rejects',
      'fault: commit throws',
      'fault: crash',
      'fault: drain',
      'fault: drain with a deadline',
      'fault: dead letter close',
      'fault: dead letter flush',
      'fault: dead letter open',
      'fault: dead letter rejects',
      'fault: dispatcher aborted',
      'fault: durable rejects',
      'fault: flush rejects',
      'fault: lane ends',
      'fault: leave',
      'fault: map throws, drop',
      'fault: map throws, fail',
      'fault: pause',
      'fault: pull hangs',
      'fault: pull rejects',
      'fault: pull throws',
      'fault: receipt fails',
      'fault: signal',
      'fault: sink close',
      'fault: sink fails between two writes',
      'fault: sink open',
      'fault: source close',
      'fault: source fails between two pulls',
      'fault: source open',
      'fault: store load',
      'fault: store save',
      'fault: store save, after it was done',
      'fault: write hangs',
      'fault: write rejects',
      'fault: write throws',
      'a letter durable later',
      'letters flushed',
      'a write that was left behind',
      'abort left somebody behind',
      'another sink adopted what one left',
      'answered nothing but a position',
      'breaker opened',
      'committed',
      'dead-lettered',
      'detached',
      'drain deadline missed',
      'dropped by drop',
      'durable later than accepted',
      'ended before it began',
      'exactly once: skipped',
      'invalid: deadLetter',
      'invalid: drop',
      'lane settled before it ended',
      'overflow: dropNewest',
      'overflow: dropOldest',
      'rate changed',
      'retried',
      'run completed',
      'run drained',
      'run failed',
      'settled by the sink itself',
      'threw: a string',
      'threw: frozen',
      'threw: undefined',
      'timed out',
      'write hangs until it is aborted',
      'write hangs, deaf to its signal',
      'write lands in part and fails',
      'write names what failed',
      'written again',
    ],
  ],
  [
    1,
    [
      'fault: join',
      'fault: flatMap throws',
      'fault: processor throws',
      'fault: map throws, deadLetter',
      'kept positions without items',
    ],
  ],
];

/** So many breaches say enough. */
const MOST_BREACHES = 3;
const LAST_LINES = 60;

async function playSeeds(from: number, count: number): Promise<Storm> {
  const counts = new Map<string, number>();
  const breaches: string[] = [];
  let faults = 0;
  let topologies = 0;
  for (let seed = from; seed < from + count && breaches.length < MOST_BREACHES; seed++) {
    const played = await play(seed);
    topologies += 1;
    faults += played.faults;
    for (const [name, times] of played.counts) counts.set(name, (counts.get(name) ?? 0) + times);
    if (played.breach === undefined) continue;
    const trace = (await play(seed, true)).trace.slice(-LAST_LINES).join('\n');
    breaches.push(
      `${played.breach}\n\n${describePlan(played.plan)}\n…\n${trace}\n\nTo play it again: npx --yes pnpm@12 simulate --seed ${seed}`,
    );
  }
  return { topologies, faults, counts, breaches };
}

/** What was not reached often enough. */
function notReached({ counts }: Storm): string[] {
  return REACHED.flatMap(([least, names]) =>
    names
      .filter((name) => (counts.get(name) ?? 0) < least)
      .map((name) => `${name}: ${counts.get(name) ?? 0} of ${least}`),
  );
}

/** @param shard from 1 on: each plays seeds of its own. */
export function testShard(shard: number): void {
  const from = 1 + (shard - 1) * SEEDS_PER_SHARD;
  describe(`Simulated worlds of ${SEEDS_PER_SHARD} seeds, from ${from} on`, () => {
    it(
      'break no rule, and reach every fault and every way to answer it',
      async () => {
        const storm = await playSeeds(from, SEEDS_PER_SHARD);
        expect(storm.breaches.join('\n\n')).toBe('');
        expect(storm.topologies).toBe(SEEDS_PER_SHARD);
        expect(storm.faults).toBeGreaterThanOrEqual(LEAST_FAULTS);
        expect(notReached(storm)).toEqual([]);
      },
      SHARD_MS,
    );
  });
}
