/** Every world of its seeds keeps every rule, whatever fails in it. */

import { describe, expect, it } from 'vitest';
import { LEAST_FAULTS, notReached, playSeeds, SEEDS_PER_SHARD, SHARD_MS } from './storm.ts';

const FROM = 5001;

describe(`Simulated worlds from seed ${FROM} on`, () => {
  it(
    'break no rule, and reach every fault and every way to answer it',
    async () => {
      const storm = await playSeeds(FROM, SEEDS_PER_SHARD);
      expect(storm.breaches.join('\n\n')).toBe('');
      expect(storm.topologies).toBe(SEEDS_PER_SHARD);
      expect(storm.faults).toBeGreaterThanOrEqual(LEAST_FAULTS);
      expect(notReached(storm)).toEqual([]);
    },
    SHARD_MS,
  );
});
