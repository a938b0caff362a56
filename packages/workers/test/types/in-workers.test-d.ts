/** The types of a module flow through its stage; what does not fit does not compile. */

import { type Flow, from } from '@streamweld/core';
import { inWorkers, type ThreadContext } from '@streamweld/workers';
import { expectTypeOf, test } from 'vitest';

type OfItem = (path: string, context: ThreadContext<{ level: number }>) => Promise<number>;
type OfBatch = (paths: readonly string[]) => Promise<readonly number[]>;

const module = new URL('./compress.js', import.meta.url);
const paths = from(['a.log']);

test('a stage takes the items of its function, and hands on its results', () => {
  expectTypeOf(paths.through(inWorkers<OfItem>(module))).toEqualTypeOf<Flow<number>>();
  expectTypeOf(paths.through(inWorkers<OfBatch>(module, { takes: 'batch' }))).toEqualTypeOf<Flow<number>>();
  // Without its type nothing is known of what it answers.
  expectTypeOf(paths.through(inWorkers(module))).toEqualTypeOf<Flow<unknown>>();
  inWorkers<(item: { bytes: ArrayBuffer }) => number>(module, { transfer: ({ bytes }) => [bytes] });
});

test('what does not fit does not compile', () => {
  // @ts-expect-error The function takes strings.
  from([1]).through(inWorkers<OfItem>(module));
  // @ts-expect-error A function of an item is given one at a time.
  inWorkers<OfItem>(module, { takes: 'batch' });
  // @ts-expect-error A misspelt option does not compile.
  inWorkers<OfItem>(module, { thread: 2 });
  // @ts-expect-error What is transferred is of the item.
  inWorkers<OfItem>(module, { transfer: ({ bytes }) => [bytes] });
});
