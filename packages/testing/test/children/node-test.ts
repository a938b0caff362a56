/** The suites under node:test: a store that keeps its rules, or one that is broken, as the argument says. */

import { describe, test } from 'node:test';
import { MemoryCheckpointStore } from '@streamweld/core';
import { checkpointSuite } from '@streamweld/testing';

const isBroken = process.argv[2] === 'broken';

checkpointSuite({ describe, test }, 'a store', {
  prepare() {
    const store = new MemoryCheckpointStore();
    // Broken: it adds to what is there, where it has to replace it.
    const save = (name: string, positions: ReadonlyMap<string, unknown>): void =>
      store.save(name, new Map([...store.load(name), ...positions]));
    return { open: () => (isBroken ? { load: (name) => store.load(name), save } : store) };
  },
});
