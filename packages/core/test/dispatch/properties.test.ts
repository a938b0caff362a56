/**
 * Dispatchers against a simple model: random sinks, feeds, sizes and delays, and sinks that come, go, fail and stall, all
 * on virtual time. Whatever happens, what each rule promises holds, and so does every bound at every step.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DispatchedPipelineBuilder } from '../../src/dispatch/builder.ts';
import type { Dispatcher } from '../../src/dispatch/dispatcher.ts';
import { hashKey } from '../../src/dispatch/hash.ts';
import type { SinkStatus, Subscription } from '../../src/dispatch/subscription.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import type { Positioned, Source } from '../../src/source.ts';
import { type VirtualClock, withVirtualClock } from '@streamweld/testing';
import { numbers, Recorder } from './instruments.ts';

/** An item: the feed it came from, its number there, and a key. */
interface Item {
  readonly feed: number;
  readonly n: number;
  readonly key: number;
}

const sinkPlan = fc.record({
  /** 0 answers at once. */
  delay: fc.constantFrom(0, 0, 1, 2, 5, 11),
  jitter: fc.boolean(),
  maxItems: fc.option(fc.integer({ min: 1, max: 9 }), { nil: undefined }),
  lingerMs: fc.constantFrom(0, 0, 0, 3),
  bufferSize: fc.option(fc.integer({ min: 1, max: 25 }), { nil: undefined }),
  maxConcurrency: fc.integer({ min: 1, max: 4 }),
  /** When it joins, and when it leaves, on the clock; it stays if it does not. */
  joinAt: fc.constantFrom<number>(0, 0, 0, 3, 10, 40),
  leaveAfter: fc.option(fc.integer({ min: 0, max: 60 }), { nil: undefined }),
  leaves: fc.constantFrom('unsubscribe', 'detach', 'fail write'),
  opens: fc.constantFrom(0, 0, 4),
  partition: fc.nat(3),
});
type SinkPlan = typeof sinkPlan extends fc.Arbitrary<infer P> ? P : never;

const feedPlan = fc.record({
  count: fc.integer({ min: 0, max: 120 }),
  batch: fc.integer({ min: 1, max: 20 }),
  bufferSize: fc.integer({ min: 1, max: 40 }),
  answers: fc.integer({ min: 1, max: 15 }),
  delay: fc.constantFrom(0, 0, 1, 4),
  pausesAt: fc.option(fc.integer({ min: 0, max: 30 }), { nil: undefined }),
});
type FeedPlan = typeof feedPlan extends fc.Arbitrary<infer P> ? P : never;

const scenarios = fc.record({
  sinks: fc.array(sinkPlan, { minLength: 1, maxLength: 5 }),
  feeds: fc.array(feedPlan, { minLength: 1, maxLength: 3 }),
  keys: fc.integer({ min: 1, max: 12 }),
  /** Of each partition. */
  bufferSize: fc.integer({ min: 1, max: 30 }),
  seed: fc.nat(),
});
type Scenario = typeof scenarios extends fc.Arbitrary<infer P> ? P : never;

/** A sink in a scenario: when it was there, and what became of it. */
interface Actor {
  readonly plan: SinkPlan;
  readonly sink: Recorder<Item>;
  readonly partition: number | undefined;
  subscription: Subscription | undefined;
  hasLeft: boolean;
  hasFailed: boolean;
  /** Items in the order in which their writes ended, over all actors. */
  readonly log: { readonly order: number; readonly item: Item }[];
  /** Items of writes that failed. */
  lost: number;
}

interface Play {
  readonly actors: readonly Actor[];
  readonly statuses: () => readonly SinkStatus[];
  /** What each feed committed, in order. */
  readonly commits: readonly number[][];
  /** Every commit, and whether all up to it was durable when it came. */
  readonly seen: readonly { readonly feed: number; readonly position: number; readonly isDurable: boolean }[];
}

interface Rules {
  /** Partitions, where the dispatcher has some. */
  readonly partitions: number | undefined;
  readonly isKeyed: boolean;
  build(builder: DispatchedPipelineBuilder<Item>): Dispatcher<Item> | Dispatcher<Item, number>;
  /** Whether everything up to this position of the feed is where it has to be. */
  isDurable(feed: number, position: number, actors: readonly Actor[]): boolean;
}

const keyOf = (keys: number, n: number): number => (Math.imul(n, 2654435761) % keys) >>> 0;

/** Plays a scenario to its end; sinks enough stay for it to have one. */
async function play(clock: VirtualClock, scenario: Scenario, rules: Rules): Promise<Play> {
  const dispatcher = rules.build(
    new DispatchedPipelineBuilder<Item>({
      logger: null,
      bufferSize: rules.partitions === undefined ? undefined : scenario.bufferSize,
    }),
  );
  const subscribe = dispatcher.subscribeSink.bind(dispatcher) as (
    sink: Recorder<Item>,
    partition: number | undefined,
    options: object,
  ) => Promise<Subscription>;
  const { partitions } = rules;
  // Somebody has to be there at the end: for each partition, or for all.
  const stayers: SinkPlan[] = Array.from({ length: partitions ?? 1 }, (_, partition) => ({
    ...(scenario.sinks[partition % scenario.sinks.length] as SinkPlan),
    leaveAfter: undefined,
    partition,
    // A partition without keys has one sink at a time: the last of them comes when the others have left.
    joinAt: partitions !== undefined && !rules.isKeyed ? 200 : 5,
  }));
  let order = 0;
  const actors: Actor[] = [...scenario.sinks, ...stayers].map((plan, at) => {
    const actor: Actor = {
      plan,
      partition: partitions === undefined ? undefined : plan.partition % partitions,
      subscription: undefined,
      hasLeft: false,
      hasFailed: false,
      lost: 0,
      log: [],
      sink: new Recorder<Item>({
        name: `sink ${at}`,
        clock,
        ...(plan.maxItems === undefined ? {} : { maxItems: plan.maxItems }),
        lingerMs: plan.lingerMs,
        delayMs: () =>
          plan.jitter && plan.delay > 0 ? Math.floor(clock.random() * plan.delay * 2) : plan.delay,
        open: () => (plan.opens === 0 ? undefined : clock.sleep(plan.opens)),
        check: (batch) => {
          if (actor.hasLeft && plan.leaves === 'fail write') {
            actor.hasFailed = true;
            actor.lost += batch.length;
            throw new Error(`sink ${at} fails`);
          }
          for (const item of batch) actor.log.push({ order: order++, item });
        },
      }),
    };
    return actor;
  });
  const isPlain = partitions !== undefined && !rules.isKeyed;
  const taken = new Set<number>();
  const live = async (actor: Actor): Promise<void> => {
    const { plan, sink, partition } = actor;
    const isStayer = plan.leaveAfter === undefined && stayers.includes(plan);
    if (plan.joinAt > 0) await clock.sleep(plan.joinAt);
    if (isPlain && !isStayer) {
      // The others of a plain partition come one at a time, and go.
      if (taken.has(partition as number)) return;
      taken.add(partition as number);
    }
    actor.subscription = await subscribe(sink, partition, {
      onError: 'detach',
      ...(plan.bufferSize === undefined ? {} : { bufferSize: plan.bufferSize }),
      ...(isPlain ? {} : { maxConcurrency: plan.maxConcurrency }),
    });
    const stay = plan.leaveAfter ?? (isPlain && !isStayer ? 90 : undefined);
    if (stay === undefined) return;
    await clock.sleep(stay);
    if (sink.isClosed) return;
    actor.hasLeft = true;
    if (plan.leaves === 'detach') {
      actor.hasFailed = true;
      sink.context?.fail(new Error('gone'));
    } else if (plan.leaves === 'unsubscribe' || isPlain) {
      await actor.subscription.unsubscribe();
    }
  };
  // The run may be over before somebody joins or has left.
  const lives = actors.map((actor) => live(actor).catch(() => {}));

  /** The bound holds at every step: of a partition, which outlives its sinks, the largest that one of them asked for. */
  const watch = (): void => {
    for (const {
      name,
      partition,
      bufferSize,
      buffered,
      inFlight,
      highWaterMark,
      state,
      demand,
    } of dispatcher.sinks()) {
      if (state !== 'open') continue;
      const bound =
        partitions === undefined
          ? bufferSize
          : Math.max(
              scenario.bufferSize,
              ...actors
                .filter((actor) => actor.partition === partition)
                .map(({ plan }) => plan.bufferSize ?? 0),
            );
      expect([name, buffered + inFlight <= bound, highWaterMark <= bound]).toEqual([name, true, true]);
      expect(demand).toBeGreaterThanOrEqual(0);
    }
  };
  const seen: { feed: number; position: number; isDurable: boolean }[] = [];
  const commits: number[][] = scenario.feeds.map(() => []);
  const runs = scenario.feeds.map((plan, feed) => runFeed(plan, feed));

  async function runFeed(plan: FeedPlan, feed: number): Promise<void> {
    let next = 0;
    const source: Source<Item, number> = {
      name: `feed ${feed}`,
      pull: (demand) => {
        watch();
        const count = Math.min(demand, plan.answers, plan.count - next);
        if (count === 0) return undefined;
        const items = numbers(count, next).map((n) => ({ feed, n, key: keyOf(scenario.keys, n) }));
        next += count;
        const answer: Positioned<Item, number> = { items, position: next };
        return plan.delay === 0 ? answer : clock.sleep(plan.delay).then(() => answer);
      },
      commit: (positions) => {
        const position = positions.get('') as number;
        commits[feed]?.push(position);
        seen.push({ feed, position, isDurable: rules.isDurable(feed, position, actors) });
      },
    };
    const pipeline = new ConcurrentPipeline(source, dispatcher.createSink(plan.batch))
      .bufferSize(plan.bufferSize)
      .commitEvery({ items: 5, ms: 3 });
    const run = pipeline.run();
    if (plan.pausesAt !== undefined) {
      await clock.sleep(plan.pausesAt);
      if (pipeline.state === 'running') {
        await pipeline.pause();
        await clock.sleep(15);
        pipeline.resume();
      }
    }
    const report = await run;
    expect([report.written, report.positions.get('') ?? 0]).toEqual([plan.count, plan.count]);
    expect(report.highWaterMark).toBeLessThanOrEqual(plan.bufferSize);
  }

  await clock.run(Promise.all(runs));
  await clock.run(Promise.all(lives));
  expect(dispatcher.snapshot()).toMatchObject({ state: 'closed', waiting: 0 });
  for (const { sink, plan } of actors) {
    // Opened at most once, closed exactly as often, and nothing outstanding.
    const count = (call: string): number => sink.calls.filter((each) => each.startsWith(call)).length;
    expect(count('open')).toBeLessThanOrEqual(1);
    expect(count('close')).toBe(count('open'));
    expect(sink.inFlight).toBe(0);
    if (!rules.isKeyed || plan.maxConcurrency === 1) {
      expect(sink.mostInFlight).toBeLessThanOrEqual(isPlain ? 1 : plan.maxConcurrency);
    }
  }
  for (const status of dispatcher.sinks()) {
    expect(status).toMatchObject({ inFlight: 0, demand: 0 });
  }
  return {
    actors,
    statuses: () => dispatcher.sinks(),
    commits,
    seen,
  };
}

const feedItems = (scenario: Scenario, feed: number): number => (scenario.feeds[feed] as FeedPlan).count;
const of = (items: readonly Item[], feed: number): number[] =>
  items.filter((it) => it.feed === feed).map(({ n }) => n);
const lost = (statuses: readonly SinkStatus[]): number =>
  statuses.reduce((sum, { failed }) => sum + failed, 0);

function holds(
  name: string,
  rules: Rules,
  rule: (played: Play, scenario: Scenario) => void,
  numRuns = 150,
): void {
  it(name, { timeout: 30_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(scenarios, (scenario) =>
        withVirtualClock({ seed: scenario.seed }, async (clock) => {
          const played = await play(clock, scenario, rules);
          rule(played, scenario);
          for (const commits of played.commits) expect(commits).toEqual(commits.toSorted((a, b) => a - b));
          expect(played.seen.filter(({ isDurable }) => !isDurable)).toEqual([]);
        }),
      ),
      { numRuns },
    );
  });
}

/** Every item of the feed before the position is among those written, or was lost with consent. */
function allWritten(feed: number, position: number, actors: readonly Actor[]): boolean {
  const got = new Set(actors.flatMap(({ sink }) => of(sink.items, feed)));
  const missing = numbers(position).filter((n) => !got.has(n)).length;
  return missing <= actors.reduce((sum, actor) => sum + actor.lost, 0);
}

describe('A dispatcher, whatever happens', () => {
  holds(
    'by broadcast gives every item to every sink that was there: a contiguous part, in order, to the end if it stayed',
    {
      partitions: undefined,
      isKeyed: false,
      build: (builder) => builder.broadcast(),
      isDurable: (feed, position, actors) =>
        actors.every(({ sink, subscription, hasLeft }) => {
          if (subscription === undefined || hasLeft) return true;
          const got = of(sink.items, feed).toSorted((a, b) => a - b);
          const first = Math.min(of(sink.begun, feed)[0] ?? position, ...of(sink.begun, feed));
          return got.filter((n) => n < position).length >= position - first;
        }),
    },
    ({ actors, statuses }, scenario) => {
      for (const { sink, subscription, hasFailed, plan } of actors) {
        for (const feed of scenario.feeds.keys()) {
          const begun = of(sink.begun, feed);
          // First writes are in order and without a gap.
          expect(begun).toEqual(numbers(begun.length, begun[0] ?? 0));
          if (hasFailed) continue;
          const got = of(sink.items, feed);
          expect(got.toSorted((a, b) => a - b)).toEqual(begun);
          if (plan.maxConcurrency === 1) expect(got).toEqual(begun);
          if (plan.leaveAfter === undefined && begun.length > 0)
            expect(begun.at(-1)).toBe(feedItems(scenario, feed) - 1);
        }
        const status = statuses().find(({ name }) => name === subscription?.name);
        if (status !== undefined) expect(status.delivered).toBe(sink.items.length);
        if (!hasFailed && status !== undefined) expect(status.failed).toBe(0);
      }
    },
  );

  for (const shuffle of [false, true]) {
    holds(
      `by demand${shuffle ? ' with chance' : ''} gives every item to exactly one sink`,
      {
        partitions: undefined,
        isKeyed: false,
        build: (builder) => builder.demand({ shuffle }),
        isDurable: allWritten,
      },
      ({ actors, statuses }, scenario) => {
        const all = actors.flatMap(({ sink }) => sink.items.map(({ feed, n }) => `${feed}/${n}`));
        expect(new Set(all).size).toBe(all.length);
        const total = scenario.feeds.reduce((sum, { count }) => sum + count, 0);
        expect(all.length + lost(statuses())).toBe(total);
      },
    );
  }

  for (const partitions of [1, 3]) {
    holds(
      `by ${partitions} partitions gives every item to its partition, in order, from one sink to the next`,
      {
        partitions,
        isKeyed: false,
        build: (builder) => builder.partition(partitions, ({ key }) => key),
        isDurable: allWritten,
      },
      ({ actors, statuses }, scenario) => {
        for (const partition of numbers(partitions)) {
          const of1 = actors.filter(
            (actor) => actor.partition === partition && actor.subscription !== undefined,
          );
          for (const feed of scenario.feeds.keys()) {
            const expected = numbers(feedItems(scenario, feed)).filter(
              (n) => hashKey(keyOf(scenario.keys, n)) % partitions === partition,
            );
            // The stayer comes last; of the others one at most was there before it.
            const got = of1
              .toSorted((a, b) => a.plan.joinAt - b.plan.joinAt)
              .flatMap(({ sink }) => of(sink.items, feed));
            expect(got).toEqual(got.toSorted((a, b) => a - b));
            const missing = expected.length - got.length;
            expect(got.every((n) => expected.includes(n))).toBe(true);
            expect(missing).toBeLessThanOrEqual(lost(statuses()));
          }
        }
        const total = scenario.feeds.reduce((sum, { count }) => sum + count, 0);
        expect(actors.reduce((sum, { sink }) => sum + sink.items.length, 0) + lost(statuses())).toBe(total);
      },
    );
  }

  for (const partitions of [1, 2]) {
    holds(
      `by ${partitions} keyed partitions keeps the order of every key, over seats and sinks`,
      {
        partitions,
        isKeyed: true,
        build: (builder) =>
          builder.partition(partitions, ({ key }) => key, { key: ({ key, feed }) => `${key}/${feed}` }),
        isDurable: allWritten,
      },
      ({ actors, statuses }, scenario) => {
        for (const { sink, partition } of actors) {
          expect(sink.items.every(({ key }) => hashKey(key) % partitions === partition)).toBe(true);
        }
        // Over all sinks, in the order in which the writes ended: never two at once of one key.
        const ended = actors.flatMap(({ log }) => log).toSorted((a, b) => a.order - b.order);
        const last = new Map<string, number>();
        for (const { item } of ended) {
          const key = `${item.key}/${item.feed}`;
          expect(item.n).toBeGreaterThan(last.get(key) ?? -1);
          last.set(key, item.n);
        }
        const total = scenario.feeds.reduce((sum, { count }) => sum + count, 0);
        expect(ended.length + lost(statuses())).toBe(total);
      },
    );
  }
});
