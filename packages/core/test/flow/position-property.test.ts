/**
 * Any chain, over any answers of a source and any sizes of writes, is what plain code over arrays is; and no committed
 * position passes an item that is not durable.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Flow, from } from '../../src/flow/flow.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import type { DeferredReceipt, Sink } from '../../src/sink.ts';
import type { ProcessContext, Processor } from '../../src/source.ts';
import { withVirtualClock } from '@streamweld/testing';
import { chance, iterate, ListSource, upTo } from './instruments.ts';

/** What travels: where it comes from in the source, which may be several places once it was batched. */
interface Item {
  readonly value: number;
  readonly from: readonly number[];
}

interface Step {
  readonly name: string;
  readonly plain: (items: readonly Item[]) => readonly Item[];
  readonly flow: (flow: Flow<Item>) => Flow<Item>;
}

/** Holds the last item back, until another comes or the end. */
class OneBehind implements Processor<Item, Item> {
  #held: Item[] = [];

  process(batch: readonly Item[]): readonly Item[] {
    const all = this.#held.concat(batch);
    this.#held = all.slice(-1);
    return all.slice(0, -1);
  }

  flush(): readonly Item[] {
    return this.#held;
  }

  holdsBack(): boolean {
    return this.#held.length > 0;
  }
}

/** Holds a half pair back between batches, and nothing otherwise; two items become one. */
class PairUp implements Processor<Item, Item> {
  #half: Item[] = [];

  process(batch: readonly Item[]): readonly Item[] {
    const all = this.#half.concat(batch);
    this.#half = all.length % 2 === 1 ? all.slice(-1) : [];
    return pairUp(all.slice(0, all.length - this.#half.length));
  }

  flush(): readonly Item[] {
    return pairUp(this.#half);
  }

  holdsBack(): boolean {
    return this.#half.length > 0;
  }
}

function pairUp(items: readonly Item[]): readonly Item[] {
  return chunks(items, 2).map(unite);
}

function chunks<T>(items: readonly T[], size: number): (readonly T[])[] {
  const all: (readonly T[])[] = [];
  for (let at = 0; at < items.length; at += size) all.push(items.slice(at, at + size));
  return all;
}

function unite(items: readonly Item[]): Item {
  return {
    value: items.reduce((sum, { value }) => sum + value, 0),
    from: items.flatMap((item) => item.from),
  };
}

const plus = (item: Item): Item => ({ ...item, value: item.value + 1 });

/** A function that answers at once, or later, or now so and now so. */
function sometimes<A extends unknown[], B>(
  mode: number,
  call: (...all: A) => B,
): (...all: A) => B | Promise<B> {
  let n = 0;
  return (...all) => {
    n += 1;
    const isLater = mode === 1 || (mode === 2 && n % 3 === 0);
    return isLater ? Promise.resolve().then(() => call(...all)) : call(...all);
  };
}

const mode = fc.nat({ max: 2 });
const concurrency = fc.integer({ min: 1, max: 4 });

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(mode, concurrency).map(
    ([m, c]): Step => ({
      name: `map ${m}/${c}`,
      plain: (items) => items.map(plus),
      flow: (flow) => flow.map(sometimes(m, plus), { concurrency: c }),
    }),
  ),
  fc.tuple(mode, concurrency, fc.integer({ min: 1, max: 4 })).map(([m, c, by]): Step => {
    const keeps = ({ value }: Item): boolean => value % by !== 0;
    return {
      name: `filter ${m}/${c} %${by}`,
      plain: (items) => items.filter(keeps),
      flow: (flow) => flow.filter(sometimes(m, keeps), { concurrency: c }),
    };
  }),
  fc.tuple(mode, fc.nat({ max: 3 })).map(([m, most]): Step => {
    const many = (item: Item): Item[] =>
      upTo(item.value % (most + 1)).map((n) => ({ ...item, value: item.value + n }));
    return {
      name: `flatMap ${m} <=${most}`,
      plain: (items) => items.flatMap(many),
      flow: (flow) => flow.flatMap(sometimes(m, many)),
    };
  }),
  fc
    .tuple(mode, concurrency, fc.integer({ min: 1, max: 5 }), fc.integer({ min: 2, max: 5 }))
    .map(([m, c, most, by]): Step => {
      const isBad = ({ value }: Item): boolean => value % by === 0;
      const good = (batch: readonly Item[]): readonly Item[] =>
        batch.filter((item) => !isBad(item)).map(plus);
      return {
        name: `through ${m}/${c} <=${most} %${by}`,
        plain: good,
        flow: (flow) =>
          flow.through(
            () => ({
              concurrency: c,
              maxItems: most,
              process: sometimes(m, (batch: readonly Item[], { refuse }: ProcessContext) => {
                for (const [at, item] of batch.entries()) if (isBad(item)) refuse(at, new Error('a bad one'));
                return good(batch);
              }),
            }),
            { onError: 'drop' },
          ),
      };
    }),
  fc.tuple(mode, concurrency).map(
    ([m, c]): Step => ({
      name: `tap ${m}/${c}`,
      plain: (items) => items,
      flow: (flow) =>
        flow.tap(
          sometimes(m, () => {}),
          { concurrency: c },
        ),
    }),
  ),
  fc.nat({ max: 40 }).map(
    (count): Step => ({
      name: `take ${count}`,
      plain: (items) => items.slice(0, count),
      flow: (flow) => flow.take(count),
    }),
  ),
  fc.nat({ max: 10 }).map(
    (count): Step => ({
      name: `drop ${count}`,
      plain: (items) => items.slice(count),
      flow: (flow) => flow.drop(count),
    }),
  ),
  fc.integer({ min: 1, max: 7 }).map(
    (size): Step => ({
      name: `batch ${size}`,
      plain: (items) => chunks(items, size).map(unite),
      flow: (flow) => flow.batch(size).map(unite),
    }),
  ),
  fc.integer({ min: 1, max: 7 }).map(
    (size): Step => ({
      name: `batch ${size} and back`,
      plain: (items) => items,
      flow: (flow) => flow.batch(size).flatMap((array) => array),
    }),
  ),
  fc.constant<Step>({
    name: 'concat',
    plain: (items) => [...items, { value: 7, from: [] }, { value: 8, from: [] }],
    flow: (flow) =>
      flow.concat([
        { value: 7, from: [] },
        { value: 8, from: [] },
      ]),
  }),
  fc.constant<Step>({
    name: 'one behind',
    plain: (items) => items,
    flow: (flow) => flow.through(() => new OneBehind()),
  }),
  fc.constant<Step>({ name: 'pair up', plain: pairUp, flow: (flow) => flow.through(() => new PairUp()) }),
  mode.map(
    (m): Step => ({
      name: `through ${m}`,
      plain: (items) => items.map(plus),
      flow: (flow) => {
        const process = sometimes(m, (batch: readonly Item[]) => batch.map(plus));
        return flow.through({ process });
      },
    }),
  ),
);

const example = fc.record({
  items: fc.nat({ max: 60 }),
  steps: fc.array(step, { maxLength: 5 }),
  seed: fc.nat(),
  bufferSize: fc.integer({ min: 1, max: 24 }),
  maxConcurrency: fc.integer({ min: 1, max: 4 }),
});

function build(
  count: number,
  steps: readonly Step[],
  seed: number,
): { source: ListSource<Item>; flow: Flow<Item> } {
  const draw = chance(seed);
  const source = new ListSource(
    upTo(count).map((n): Item => ({ value: n, from: [n] })),
    {
      size: (demand) => 1 + draw(demand),
      isAsync: () => draw(2) === 0,
      isEmpty: () => draw(6) === 0,
    },
  );
  return { source, flow: steps.reduce((flow, { flow: next }) => next(flow), from<Item>(source)) };
}

function expected(count: number, steps: readonly Step[]): readonly Item[] {
  return steps.reduce<readonly Item[]>(
    (items, { plain }) => plain(items),
    upTo(count).map((n): Item => ({ value: n, from: [n] })),
  );
}

/** Settles its writes out of order, one at a time, and keeps what is durable. */
function outOfOrder(
  draw: (below: number) => number,
): Sink<Item> & { readonly items: Item[]; readonly durable: Item[] } {
  const open: { readonly receipt: DeferredReceipt; readonly batch: readonly Item[] }[] = [];
  const items: Item[] = [];
  const durable: Item[] = [];
  const settleOne = (): void => {
    const [one] = open.splice(draw(open.length), 1);
    if (one === undefined) return;
    durable.push(...one.batch);
    one.receipt.settle();
  };
  return {
    name: 'out of order',
    items,
    durable,
    batching: { maxItems: 1 + draw(5) },
    write: (batch, context) => {
      items.push(...batch);
      open.push({ receipt: context.defer(), batch });
      while (open.length > 0 && draw(3) > 0) settleOne();
    },
    flush: () => {
      while (open.length > 0) settleOne();
    },
  };
}

describe('Any flow', () => {
  it('comes to what plain code over arrays comes to', async () => {
    await fc.assert(
      fc.asyncProperty(example, async ({ items, steps, seed, bufferSize, maxConcurrency }) => {
        await withVirtualClock({ seed }, async (time) => {
          const values = expected(items, steps).map(({ value }) => value);
          const sink = outOfOrder(chance(seed));
          const run = new ConcurrentPipeline(build(items, steps, seed).flow, { ...sink, concurrency: 1 })
            .bufferSize(bufferSize)
            .maxConcurrency(maxConcurrency)
            .run();
          await time.run(run);
          expect(sink.items.map(({ value }) => value)).toEqual(values);
          const inLoop = await time.run(iterate(build(items, steps, seed).flow));
          expect(inLoop.map(({ value }) => value)).toEqual(values);
          expect(time.activeTimers).toBe(0);
        });
      }),
      { numRuns: 250 },
    );
  });

  it('commits no position past an item that is not durable, and the end at the end', async () => {
    await fc.assert(
      fc.asyncProperty(example, async ({ items, steps, seed, bufferSize, maxConcurrency }) => {
        await withVirtualClock({ seed }, async (time) => {
          const { source, flow } = build(items, steps, seed);
          const wanted = expected(items, steps);
          const sink = outOfOrder(chance(seed + 1));
          // Not thrown: a commit that fails is tried again, and may do well then.
          const early: number[] = [];
          source.commit = (positions) => {
            const position = positions.get('') ?? Number.NaN;
            const before = (all: readonly Item[]): number =>
              all.filter((item) => item.from.some((place) => place < position)).length;
            if (before(sink.durable) !== before(wanted)) early.push(position);
            source.commits.push(position);
          };
          const run = new ConcurrentPipeline(flow, sink)
            .bufferSize(bufferSize)
            .maxConcurrency(maxConcurrency)
            .commitEvery({ items: 1 })
            .run();
          const report = await time.run(run);
          expect(early).toEqual([]);
          expect(source.commits).toEqual([...source.commits].sort((a, b) => a - b));
          if (source.handedOut > 0) expect([...report.positions.values()][0]).toBe(source.handedOut);
          if (!steps.some(({ name }) => name.startsWith('take'))) expect(source.handedOut).toBe(items);
        });
      }),
      { numRuns: 400 },
    );
  });

  it('keeps to its demand through merges, and each branch to its order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat({ max: 30 }), { minLength: 2, maxLength: 4 }),
        fc.integer({ min: 1, max: 9 }),
        fc.nat(),
        async (counts, size, seed) => {
          await withVirtualClock({ seed }, async (time) => {
            const draw = chance(seed);
            const sources = counts.map(
              (count, branch) =>
                new ListSource(
                  upTo(count).map((n) => ({ branch, n })),
                  { size: (demand) => 1 + draw(demand), isAsync: () => draw(2) === 0 },
                ),
            );
            const [first, ...others] = sources.map((source) => from(source));
            const flow = (first as NonNullable<typeof first>).merge(...others).batch(size);
            const arrays: (readonly { branch: number; n: number }[])[] = [];
            const sink = (batch: readonly (typeof arrays)[number][]): void => void arrays.push(...batch);
            await time.run(new ConcurrentPipeline(flow, sink).bufferSize(1 + draw(9)).run());
            for (const array of arrays.slice(0, -1)) expect(array).toHaveLength(size);
            const items = arrays.flat();
            for (const [branch, count] of counts.entries()) {
              expect(items.filter((item) => item.branch === branch).map(({ n }) => n)).toEqual(upTo(count));
            }
            expect(sources.map((source) => source.commits.at(-1) ?? 0)).toEqual(counts);
          });
        },
      ),
      { numRuns: 150 },
    );
  });
});
