/** The words, from the numbers. Whether the numbers are right is asked in sampler.test.ts. */

import { describe, expect, it } from 'vitest';
import { type Circumstances, findBottleneck } from '../../src/shared/bottleneck.ts';
import type { EdgeLook, StageLook } from '../../src/shared/graph.ts';
import type { Spent } from '../../src/shared/stage-track.ts';

function stage(kind: StageLook['kind'], name: string, more: Partial<StageLook> = {}): StageLook {
  return {
    id: name,
    name,
    kind,
    items: 0,
    itemsIn: 0,
    inFlight: 0,
    activity: 'busy',
    waitedMs: 0,
    failures: [],
    retried: 0,
    timedOut: 0,
    deadLettered: 0,
    dropped: 0,
    lost: 0,
    ...more,
  };
}

/** @param spent by name; what is left out is 0 */
function wordsOf(
  stages: readonly StageLook[],
  spent: Record<string, Partial<Spent>>,
  more: Partial<Circumstances> = {},
): string | undefined {
  const nothing: Spent = { busy: 0, waitingForInput: 0, waitingForRoom: 0, full: 0, active: 100, calling: 0 };
  const found = findBottleneck({
    state: 'running',
    stages,
    edges: [],
    spent: ({ name }) => ({ ...nothing, ...spent[name] }),
    loop: 0.5,
    ...more,
  });
  return found?.text;
}

const line = [stage('source', 'kafka'), stage('operator', 'map'), stage('sink', 'postgres')];

describe('findBottleneck', () => {
  it('names the sink while the source waits for room', () => {
    expect(
      wordsOf(line, {
        kafka: { busy: 38, full: 62, calling: 38 },
        postgres: { busy: 95, waitingForInput: 5 },
      }),
    ).toBe('waiting for postgres 62 %');
  });

  it('names the one before the buffer that has calls outstanding while the sink waits for items', () => {
    const postgres = { busy: 20, waitingForInput: 80 };
    expect(wordsOf(line, { kafka: { busy: 90, calling: 90, waitingForRoom: 10 }, postgres })).toBe(
      'waiting for kafka 80 %',
    );
    expect(
      wordsOf(line, {
        kafka: { busy: 10, calling: 10, waitingForRoom: 90 },
        map: { busy: 90, calling: 90 },
        postgres,
      }),
    ).toBe('waiting for map 80 %');
  });

  it('blames no single one where they compute, and nobody waits for an answer', () => {
    const postgres = { busy: 20, waitingForInput: 80 };
    expect(wordsOf(line, { kafka: { busy: 100 }, map: { busy: 100 }, postgres })).toBe(
      'computing before postgres 80 %',
    );
    const [source, , sink] = line as [StageLook, StageLook, StageLook];
    expect(wordsOf([source, sink], { kafka: { busy: 100 }, postgres })).toBe('waiting for kafka 80 %');
  });

  it('names the processor where neither side waits for long, and it is busy', () => {
    const even = { kafka: { busy: 98, full: 2 }, postgres: { busy: 98, waitingForInput: 2 } };
    expect(wordsOf(line, even, { loop: 0.97 })).toBe('the processor is busy 97 %');
    expect(wordsOf(line, even, { loop: 0.5 })).toBeUndefined();
    expect(wordsOf(line, even, { loop: undefined })).toBeUndefined();
  });

  it('tells of an open circuit breaker', () => {
    const broken = stage('sink', 'postgres', { breaker: { state: 'open', openings: 1 } });
    const spent = { kafka: { full: 100 }, postgres: { busy: 100 } };
    expect(wordsOf([line[0] as StageLook, broken], spent)).toBe(
      'waiting for postgres 100 %, its circuit breaker is open',
    );
  });

  it('names the sink of a dispatcher whose buffer is full, with its partition', () => {
    const stages = [
      stage('source', 'kafka'),
      stage('dispatcher', 'regions', { strategy: 'partition' }),
      stage('sink', 'eu', { partition: 'europe' }),
      stage('sink', 'us', { partition: 'america' }),
    ];
    const edges: EdgeLook[] = [
      { from: 'kafka', to: 'regions' },
      { from: 'regions', to: 'eu' },
      { from: 'regions', to: 'us' },
    ];
    const spent = {
      kafka: { busy: 30, full: 70 },
      regions: { waitingForRoom: 100 },
      eu: { busy: 50, full: 5 },
      us: { busy: 100, full: 90 },
    };
    expect(wordsOf(stages, spent, { edges })).toBe('waiting for us (america) 70 %');
    const shared = [stages[0], { ...stages[1], strategy: 'demand' }, ...stages.slice(2)] as StageLook[];
    expect(wordsOf(shared, spent, { edges })).toBe('waiting for all 2 sinks 70 %');
    expect(wordsOf(stages.slice(0, 2), spent, { edges })).toBe('no sink takes from regions');
    expect(wordsOf(stages.slice(1), spent, { edges: edges.slice(1), state: 'open' })).toBe(
      'waiting for us (america) 100 %',
    );
  });

  it('says nothing before it runs, while it is paused, and when it is done', () => {
    const spent = { kafka: { full: 100 }, postgres: { busy: 100 } };
    for (const state of ['idle', 'opening', 'paused', 'closing', 'done', 'failed', 'closed'] as const)
      expect(wordsOf(line, spent, { state })).toBeUndefined();
    expect(wordsOf(line, {})).toBeUndefined();
    expect(wordsOf([], {})).toBeUndefined();
  });

  it('makes names harmless', () => {
    const evil = [stage('source', 'a'), stage('sink', 'post\u001b[2Jgres')];
    expect(wordsOf(evil, { a: { full: 100 }, 'post\u001b[2Jgres': { busy: 1 } })).toBe(
      'waiting for post␛[2Jgres 100 %',
    );
  });
});
