/** checkpointSuite on a medium that can crash: what only a crash shows is caught by it, and by nothing else. */

import { CHECKPOINT_CHECKS, checkpointSuite, findBreaches } from '@streamweld/testing';
import { describe, expect, test } from 'vitest';
import { diskHarness, replace, type Write } from './stores/disk-store.ts';

checkpointSuite({ describe, test }, 'a store on a disk that crashes', diskHarness(replace));

const UNSAFE: readonly [defect: string, says: RegExp, write: Write][] = [
  [
    'resolves before anything is durable',
    /In lane|deepEqual|deep-equal|is not there|answers round|nothing, or half a save/,
    async (disk, name, lanes) => {
      await disk.turn();
      disk.cache.set(name, lanes);
    },
  ],
  [
    'is durable a little later than it says',
    /is not there|answers round|deep-equal|nothing, or half a save/,
    async (disk, name, lanes) => {
      await disk.turn();
      disk.cache.set(name, lanes);
      void disk.sync(name);
    },
  ],
  [
    'brings one lane after the other to the plate',
    /half a save/,
    async (disk, name, lanes) => {
      await disk.turn();
      disk.cache.set(name, lanes);
      const before = disk.plate.get(name) ?? [];
      for (const count of [1, 2]) {
        await disk.turn();
        disk.plate.set(name, [...lanes.slice(0, count), ...before.slice(count)]);
      }
      await disk.sync(name);
    },
  ],
  [
    'removes what was before it puts the new in its place',
    /nothing, or half a save/,
    async (disk, name, lanes) => {
      await disk.turn();
      disk.cache.set(name, lanes);
      disk.plate.delete(name);
      await disk.sync(name);
    },
  ],
];

describe('checkpointSuite, with crashes,', () => {
  test.each(UNSAFE)('C2 catches a store that %s', async (_defect, says, write) => {
    const breaches = await findBreaches(diskHarness(write), CHECKPOINT_CHECKS);
    const ofSaves = breaches.filter(({ rule }) => rule === 'C2');
    expect(ofSaves.map(({ error }) => (error as Error).message).join('\n')).toMatch(says);
  });

  test.each(UNSAFE)('needs `crash` for one that %s', async (_defect, _says, write) => {
    expect(await findBreaches(diskHarness(write, false), CHECKPOINT_CHECKS)).toEqual([]);
  });
});
