/**
 * Retry and dead letter against a simple model: a sink that fails at random, for its own reasons or for those of the
 * items, lands nothing, part or all of a write when it does, names what failed or does not; over random sizes,
 * concurrency and keys, through a pipeline and through a keyed partition.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DispatchedPipelineBuilder } from '../../src/dispatch/builder.ts';
import { WriteError } from '../../src/errors.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import type { RunReport } from '../../src/pipeline/report.ts';
import type { DeadLetter } from '../../src/policy/dead-letter.ts';
import { RateLimit } from '../../src/policy/rate-limit.ts';
import type { RetryOptions } from '../../src/policy/retry.ts';
import type { Accepted, Sink, WriteContext } from '../../src/sink.ts';
import { CountingSource } from '../controlled.ts';
import { type VirtualClock, withVirtualClock } from '@streamweld/testing';

const scenarios = fc.record({
  items: fc.integer({ min: 0, max: 120 }),
  answers: fc.integer({ min: 1, max: 15 }),
  bufferSize: fc.integer({ min: 1, max: 40 }),
  maxItems: fc.integer({ min: 1, max: 12 }),
  concurrency: fc.integer({ min: 1, max: 4 }),
  keys: fc.integer({ min: 1, max: 9 }),
  isAtomic: fc.boolean(),
  /** Whether it names what failed: never, always, or now and then. */
  names: fc.constantFrom(0, 1, 0.5),
  /** One item in so many is bad; 0: none. */
  badOneIn: fc.constantFrom(0, 3, 10, 30),
  outages: fc.constantFrom(0, 0.1, 0.3),
  attempts: fc.integer({ min: 1, max: 8 }),
  delay: fc.constantFrom(0, 0, 1, 7),
  durableMs: fc.constantFrom(0, 0, 5, 30),
  lettersMs: fc.constantFrom(0, 0, 3, 40),
  limit: fc.constantFrom(0, 0, 200),
  /** With one, no outage ends the run. */
  breaker: fc.constantFrom(0, 0, 1, 3),
  seed: fc.nat(),
});
type Scenario = typeof scenarios extends fc.Arbitrary<infer S> ? S : never;

/** The sink, and everything that must hold of how it is used. */
class RandomSink implements Sink<number> {
  readonly name = 'random';
  readonly atomic: boolean;
  readonly batching: { readonly maxItems: number };
  readonly landed: number[] = [];
  readonly durable = new Set<number>();
  /** Writes of an item that ended in an outage. */
  readonly outages = new Map<number, number>();
  readonly inFlight = new Set<number>();
  readonly breaches: string[] = [];
  writes = 0;
  mostAtOnce = 0;
  #now = 0;
  readonly #scenario: Scenario;
  readonly #clock: VirtualClock;
  readonly #keyOf: ((item: number) => number) | undefined;

  constructor(scenario: Scenario, clock: VirtualClock, keyOf: ((item: number) => number) | undefined) {
    this.#scenario = scenario;
    this.#clock = clock;
    this.#keyOf = keyOf;
    this.atomic = scenario.isAtomic;
    this.batching = { maxItems: scenario.maxItems };
  }

  isBad(item: number): boolean {
    const { badOneIn } = this.#scenario;
    return badOneIn > 0 && (Math.imul(item + 1, 2654435761) >>> 7) % badOneIn === 0;
  }

  write(batch: readonly number[], context: WriteContext): void | Accepted | Promise<void | Accepted> {
    this.writes += 1;
    this.#now += 1;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.#now);
    if (context.attempt < 1) this.breaches.push('attempt');
    if (this.#keyOf !== undefined) {
      const keys = new Set(batch.map(this.#keyOf));
      if ([...this.inFlight].some((item) => keys.has(this.#keyOf?.(item) as number)))
        this.breaches.push('a key in two writes');
    }
    for (const item of batch) this.inFlight.add(item);
    const { delay } = this.#scenario;
    if (delay === 0) return this.#end(batch);
    return this.#clock.sleep(delay * this.#clock.random()).then(() => this.#end(batch));
  }

  #end(batch: readonly number[]): void | Accepted {
    const { outages, names, isAtomic, durableMs } = this.#scenario;
    const clock = this.#clock;
    this.#now -= 1;
    for (const item of batch) this.inFlight.delete(item);
    const doesName = clock.random() < names;
    if (clock.random() < outages) {
      for (const item of batch) this.outages.set(item, (this.outages.get(item) ?? 0) + 1);
      const failed = batch.flatMap((item, at) => (this.isBad(item) || clock.random() < 0.5 ? [at] : []));
      // Where it names nothing, nobody knows what landed.
      if (!isAtomic) this.#land(batch.filter((item, at) => !failed.includes(at) && !this.isBad(item)));
      throw new WriteError('outage', doesName && failed.length > 0 ? { failed } : {});
    }
    const failed = batch.flatMap((item, at) => (this.isBad(item) ? [at] : []));
    if (failed.length > 0) {
      if (!isAtomic && clock.random() < 0.5) this.#land(batch.filter((item) => !this.isBad(item)));
      throw new WriteError('bad', { retryable: false, ...(doesName ? { failed } : {}) });
    }
    if (durableMs === 0) {
      this.#land(batch);
      return;
    }
    this.landed.push(...batch);
    const durable = clock.sleep(durableMs * clock.random()).then(() => {
      for (const item of batch) this.durable.add(item);
    });
    return { durable };
  }

  #land(items: readonly number[]): void {
    for (const item of items) {
      this.landed.push(item);
      this.durable.add(item);
    }
  }

  async flush(): Promise<void> {
    await this.#clock.sleep(this.#scenario.durableMs + 1);
  }
}

interface Play {
  readonly sink: RandomSink;
  readonly letters: readonly DeadLetter[];
  readonly report: RunReport | undefined;
  readonly error: unknown;
  readonly committed: number;
  /** Commits that came before everything up to them was durable. */
  readonly early: readonly number[];
}

async function play(clock: VirtualClock, scenario: Scenario, isKeyed: boolean): Promise<Play> {
  const keyOf = (item: number): number => (Math.imul(item, 2654435761) >>> 3) % scenario.keys;
  const sink = new RandomSink(scenario, clock, isKeyed ? keyOf : undefined);
  const letters: DeadLetter[] = [];
  const dead = new Set<unknown>();
  const deadLetter: Sink<DeadLetter> = {
    write: (batch) => {
      letters.push(...batch);
      const durable = clock.sleep(scenario.lettersMs * clock.random()).then(() => {
        for (const { item } of batch) dead.add(item);
      });
      if (scenario.lettersMs > 0) return { durable };
      for (const { item } of batch) dead.add(item);
      return undefined;
    },
    flush: () => clock.sleep(scenario.lettersMs + 1),
  };
  const early: number[] = [];
  const source = new CountingSource(scenario.items, { size: () => scenario.answers });
  const commit = source.commit.bind(source);
  source.commit = (positions) => {
    commit(positions);
    const position = positions.get('') ?? 0;
    for (let item = 0; item < position; item++) {
      if (!sink.durable.has(item) && !dead.has(item)) early.push(item);
    }
  };
  const retry: RetryOptions = { attempts: scenario.attempts, backoff: { firstMs: 5 }, halve: true };
  const rateLimit =
    scenario.limit === 0 ? undefined : new RateLimit({ perSecond: scenario.limit, burst: scenario.maxItems });
  const circuitBreaker =
    scenario.breaker === 0 ? undefined : { failures: scenario.breaker, resetMs: 20, maxResetMs: 50 };
  let pipe: ConcurrentPipeline<number>;
  if (isKeyed) {
    const dispatcher = new DispatchedPipelineBuilder<number>({ logger: null }).partition(
      ['all'],
      () => 'all',
      {
        key: keyOf,
      },
    );
    await dispatcher.subscribeSink(sink, 'all', {
      retry,
      deadLetter,
      rateLimit,
      circuitBreaker,
      maxConcurrency: scenario.concurrency,
      bufferSize: scenario.bufferSize,
    });
    pipe = new ConcurrentPipeline(source, dispatcher.createSink(10));
  } else {
    pipe = new ConcurrentPipeline<number>(source, sink)
      .maxConcurrency(scenario.concurrency)
      .retry(retry)
      .deadLetter(deadLetter);
    if (rateLimit !== undefined) pipe.rateLimit(rateLimit);
    if (circuitBreaker !== undefined) pipe.circuitBreaker(circuitBreaker);
  }
  let report: RunReport | undefined;
  let error: unknown;
  try {
    report = await clock.run(pipe.bufferSize(scenario.bufferSize).commitEvery({ items: 1 }).run());
  } catch (thrown) {
    error = thrown;
  }
  if (error !== undefined) await clock.advance(1000);
  return { sink, letters, report, error, committed: source.committed, early };
}

/** Each item where it comes last. */
function lastOfEach(items: readonly number[]): number[] {
  return [...new Set(items.toReversed())].toReversed();
}

function check(scenario: Scenario, isKeyed: boolean, played: Play): void {
  const { sink, letters, report, error, committed, early } = played;
  const buried = letters.map(({ item }) => item as number);
  expect(sink.breaches).toEqual([]);
  expect(early).toEqual([]);
  expect(sink.mostAtOnce).toBeLessThanOrEqual(scenario.concurrency);
  // Only bad items are buried, each once; and none of them is ever written.
  expect(buried.filter((item) => !sink.isBad(item))).toEqual([]);
  expect(new Set(buried).size).toBe(buried.length);
  expect(sink.landed.filter((item) => sink.isBad(item))).toEqual([]);
  for (const { item, after, upTo } of letters) {
    expect(item as number).toBeGreaterThanOrEqual((after as number | undefined) ?? 0);
    expect(item as number).toBeLessThan(upTo as number);
  }
  if (scenario.isAtomic) expect(new Set(sink.landed).size).toBe(sink.landed.length);
  // The budget: no item was met by more outages, and a run only fails when it was met by as many.
  const most = Math.max(0, ...sink.outages.values());
  if (scenario.breaker === 0) expect(most).toBeLessThanOrEqual(scenario.attempts);
  else expect(error).toBeUndefined();
  if (error === undefined) {
    const all = Array.from({ length: scenario.items }, (_, item) => item);
    expect([...new Set([...sink.landed, ...buried])].toSorted((a, b) => a - b)).toEqual(all);
    expect(committed).toBe(scenario.items);
    const delivered = isKeyed ? scenario.items : (report?.written ?? 0) + (report?.deadLettered ?? 0);
    expect([report?.read, delivered]).toEqual([scenario.items, scenario.items]);
    if (!isKeyed) expect(report?.deadLettered).toBe(buried.length);
  } else {
    expect(error).toMatchObject({ message: 'outage' });
    expect(sink.outages.size).toBeGreaterThan(0);
    // The budget is that of a whole batch, whose parts may have met some of it each.
    let total = 0;
    for (const outages of sink.outages.values()) total += outages;
    expect(total).toBeGreaterThanOrEqual(scenario.attempts);
  }
  if (scenario.concurrency === 1 || isKeyed) {
    const keyOf = (item: number): number =>
      isKeyed ? (Math.imul(item, 2654435761) >>> 3) % scenario.keys : 0;
    for (let key = 0; key < scenario.keys; key++) {
      const landed = sink.landed.filter((item) => keyOf(item) === key);
      const sorted = landed.toSorted((a, b) => a - b);
      if (scenario.isAtomic) expect(landed).toEqual(sorted);
      // What failed may have landed, so items come again; the last write of a key is still its last value.
      else if (error === undefined) expect(lastOfEach(landed)).toEqual([...new Set(sorted)]);
    }
  }
}

describe.each([
  ['a pipeline', false],
  ['a keyed partition', true],
] as const)('retry and dead letter in %s', (_, isKeyed) => {
  it('lose nothing, double nothing they need not, keep order and positions, and keep to the budget', async () => {
    let failures = 0;
    let letters = 0;
    await fc.assert(
      fc.asyncProperty(scenarios, (scenario) =>
        withVirtualClock({ seed: scenario.seed }, async (clock) => {
          const played = await play(clock, scenario, isKeyed);
          check(scenario, isKeyed, played);
          expect(clock.activeTimers).toBe(0);
          if (played.error !== undefined) failures += 1;
          letters += played.letters.length;
        }),
      ),
      { numRuns: 300 },
    );
    // Both ways were gone.
    expect(failures).toBeGreaterThan(10);
    expect(letters).toBeGreaterThan(100);
  }, 60_000);
});
