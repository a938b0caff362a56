/** `pnpm test:small-heap` proves something only if its limit reaches the process that runs the tests. */

import { getHeapStatistics } from 'node:v8';
import { describe, expect, it } from 'vitest';

const MIB = 1024 * 1024;
const heapMb = process.env['STREAMWELD_HEAP_MB'];

describe('The heap that tests run in', () => {
  it('is as small as it was asked to be, and else as Node has it', () => {
    const { heap_size_limit: limit } = getHeapStatistics();
    // The young generation comes on top: three semi-spaces of 16 MiB.
    if (heapMb === undefined) expect(limit).toBeGreaterThan(128 * MIB);
    else expect(limit).toBeLessThanOrEqual((Number(heapMb) + 48) * MIB);
  });
});
