/** Of the sink of S3: what keeps its items from being lost, or counted twice, each taken away. They need a server, so that `pnpm planted s3` alone tries them. */

import type { Break } from './breaks.ts';

const EXACTLY_ONCE = ['sink-exactly-once.test.ts'];
const LEDGER = ['sink-ledger.test.ts'];
const KEYS = ['sink-keys.test.ts'];

const BROKEN: readonly Omit<Break, 'package' | 'isKept'>[] = [
  {
    name: 'a write that was committed, and whose answer was lost, is written again',
    file: 'sink-committed.ts',
    find: 'if (attempt > 1 && this.#wasCommitted(content, kept)) return undefined;',
    replace: '',
    tests: EXACTLY_ONCE,
  },
  {
    name: 'any write is taken for the one that is in doubt',
    file: 'sink-committed.ts',
    find: ' && this.#doubt.positions === JSON.stringify(kept)',
    replace: '',
    tests: EXACTLY_ONCE,
  },
  {
    name: 'what failed is not void when it is written again',
    file: 'sink-committed.ts',
    find: 'void: voided(content), pending',
    replace: 'pending',
    tests: EXACTLY_ONCE,
  },
  {
    name: 'what was pending is not void for whoever comes next',
    file: 'sink-ledger.ts',
    find: 'void: checkpoint === null ? found.void : voided(found)',
    replace: 'void: found.void',
    tests: EXACTLY_ONCE,
  },
  {
    name: 'what was committed is taken back where another has taken over since',
    file: 'sink-committed.ts',
    find: 'if (ledger.successor === undefined || !isVoid(ledger.successor, mine.sequence)) return;',
    replace: '',
    tests: EXACTLY_ONCE,
  },
  {
    name: 'the ledger is written without a condition',
    file: 'ledger-object.ts',
    find: 'conditional ? condition : {}',
    replace: '{}',
    tests: EXACTLY_ONCE,
  },
  {
    name: "another sink's change is taken for one's own",
    file: 'ledger-object.ts',
    find: 'if (found.content.epoch !== epoch) {',
    replace: "if (found.content.epoch === '') {",
    tests: EXACTLY_ONCE,
  },
  {
    name: 'one reading of the ledger is believed',
    file: 'ledger-object.ts',
    find: 'if (before?.etag === found.etag && before.bytes.equals(found.bytes))',
    replace: '',
    tests: EXACTLY_ONCE,
  },
  {
    name: 'what is pending is taken away, whosever it is',
    file: 'sink-sweep.ts',
    find: 'if (found?.metadata[SEQUENCE] !== String(sequence) || found.metadata[EPOCH] !== epoch) continue;',
    replace: 'if (found === undefined) continue;',
    tests: EXACTLY_ONCE,
  },
  {
    name: 'the object of another is taken for the one whose answer was lost',
    file: 'sink-body.ts',
    find: 'return metadata[OBJECT_ID] === this.#id && size === this.length;',
    replace: 'return metadata !== undefined && size >= 0;',
    tests: ['sink-faults.test.ts'],
    rule: '73',
  },
  {
    name: 'uploads are begun that the ledger does not know',
    file: 'sink-rolling.ts',
    find: 'this.#uploading.set(sequence, key);',
    replace: '',
    tests: ['sink-faults.test.ts'],
    rule: '74',
  },
  {
    name: 'numbers are used that the ledger does not know',
    file: 'sink-rolling.ts',
    find: '(this.#way.ledger.content.next > sequence ? Promise.resolve() : this.#tell())',
    replace: 'Promise.resolve()',
    tests: ['sink.test.ts'],
  },
  {
    name: 'a ledger that was deleted is taken for one that another has taken over',
    file: 'ledger-object.ts',
    find: 'throw missingLedger(this.#options);',
    replace: 'throw fenced(this.#options);',
    tests: LEDGER,
  },
  {
    name: 'a store that heeds one of the two conditions is trusted',
    file: 'ledger-object.ts',
    find: 'if (heedsNew && heedsSame) return;',
    replace: 'if (heedsNew || heedsSame) return;',
    tests: LEDGER,
  },
  {
    name: 'a ledger is shared with another sink',
    file: 'sink-ledger.ts',
    find: '(found.sink === sink || found.sink === name) && ',
    replace: '',
    tests: LEDGER,
  },
  {
    name: 'sinks without a name share a ledger',
    file: 'sink-ledger.ts',
    find: "if (sink === '' && ledger === undefined) throw unnamed(reach.name, bucket);",
    replace: '',
    tests: LEDGER,
  },
  {
    name: 'two open objects have the same key',
    file: 'sink-rolling.ts',
    find: '.some((other) => other.key === key)',
    replace: '.some((other) => other.key === undefined)',
    tests: KEYS,
  },
  {
    name: 'two objects of a write have the same key',
    file: 'sink-committed.ts',
    find: 'keys.has(key) || ',
    replace: '',
    tests: KEYS,
  },
  {
    name: 'the key of a write that was taken back comes again',
    file: 'sink-committed.ts',
    find: ' || key === this.#keyOf(later, by, kept, openedAt)',
    replace: '',
    tests: KEYS,
  },
  {
    name: 'errors do not say of which sink they are',
    file: 'errors.ts',
    find: 'return stage === undefined || this.stage !== undefined ? this : this.#copy(this.message, stage);',
    replace: 'return this;',
    tests: ['sink-stages.test.ts'],
  },
];

export const S3_SINK_BREAKS: readonly Break[] = BROKEN.map((broken) => ({
  ...broken,
  name: `s3 sink: ${broken.name}`,
  package: 's3',
}));
