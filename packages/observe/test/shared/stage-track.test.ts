/** What is made of looks, one by one. Whether real pipelines are seen right is asked in sampler.test.ts. */

import type { StageActivity } from '@streamweld/core';
import { describe, expect, it } from 'vitest';
import type { StageKind, StageLook } from '../../src/shared/graph.ts';
import { type Circumstance, StageTrack } from '../../src/shared/stage-track.ts';

const MS = 50;

/** Looks at a stage every 50 ms, and samples at every fifth. */
class Watch {
  readonly track: StageTrack = new StageTrack('s#0');
  now = 1000;
  readonly #kind: StageKind;
  #items = 0;
  #waitedMs = 0;
  #looks = 0;

  constructor(kind: StageKind) {
    this.#kind = kind;
    this.look('idle', { isMoving: false });
  }

  look(
    activity: StageActivity,
    more: Partial<Circumstance & Pick<StageLook, 'buffer'> & { waited: number; items: number }> = {},
  ): void {
    this.now += MS;
    this.#items += more.items ?? 0;
    this.#waitedMs += more.waited ?? 0;
    const look: StageLook = {
      id: 's#0',
      name: 's',
      kind: this.#kind,
      items: this.#items,
      itemsIn: 0,
      buffer: more.buffer,
      inFlight: activity === 'busy' ? 1 : 0,
      activity,
      waitedMs: this.#waitedMs,
      failures: [],
      retried: 0,
      timedOut: 0,
      deadLettered: 0,
      dropped: 0,
      lost: 0,
    };
    const usual = { ms: MS, fullMs: 0, isFull: false, isMoving: true };
    this.track.look(look, { ...usual, now: this.now, ...more });
    this.#looks += 1;
    if (this.#looks % 5 === 0) this.track.turn(this.now);
  }

  repeat(times: number, ...look: Parameters<Watch['look']>): void {
    for (let n = 0; n < times; n++) this.look(...look);
  }

  get shares(): number[] {
    const { busy, waitingForInput, waitingForRoom } = this.track.shares;
    return [busy, waitingForInput, waitingForRoom].map((share) => Math.round(share * 100));
  }
}

describe('StageTrack', () => {
  it('takes what a source waited for room exactly, and shares out the rest by looks that found room', () => {
    const source = new Watch('source');
    // Of each 100 ms it is full for 60, and of the two looks one falls into those.
    for (let n = 0; n < 200; n++) {
      source.look('waitingForRoom', { fullMs: 30, isFull: true });
      source.look('busy', { fullMs: 30 });
    }
    expect(source.shares).toEqual([40, 0, 60]);
    const operator = new Watch('operator');
    for (let n = 0; n < 100; n++) {
      operator.look('waitingForRoom', { fullMs: 50, isFull: true });
      operator.look('busy');
      operator.look('waitingForInput');
      // Another operator, behind it, is busy.
      operator.look('waitingForRoom');
    }
    expect(operator.shares).toEqual([25, 25, 50]);
  });

  it('takes what a sink waited for items exactly, and the rest as busy; a dispatcher waits for its sinks', () => {
    for (const [kind, expected] of [
      ['sink', [30, 70, 0]],
      ['dispatcher', [0, 70, 30]],
    ] as const) {
      const watch = new Watch(kind);
      watch.repeat(100, 'busy', { waited: 35 });
      expect(watch.shares).toEqual(expected);
    }
  });

  it('forgets after ten seconds, but not over all', () => {
    const source = new Watch('source');
    source.repeat(400, 'busy');
    source.repeat(100, 'waitingForInput');
    const shares = source.shares;
    expect(shares[1]).toBeGreaterThan(45);
    expect(shares[1]).toBeLessThan(55);
    source.repeat(105, 'waitingForInput');
    expect(source.shares).toEqual([0, 100, 0]);
    expect(source.track.overall().busy).toBeGreaterThan(0.6);
  });

  it('knows nothing of a stage that was always idle, and counts no pause', () => {
    const source = new Watch('source');
    source.repeat(50, 'idle');
    expect(source.shares).toEqual([0, 0, 0]);
    source.repeat(50, 'busy', { items: 10 });
    const { average } = source.track.rate(source.now);
    source.repeat(100, 'idle', { isMoving: false });
    expect(source.shares).toEqual([100, 0, 0]);
    expect(source.track.rate(source.now)).toEqual({ now: 0, average });
  });

  it('tells the rate of the last two seconds from the average', () => {
    const sink = new Watch('sink');
    sink.repeat(600, 'busy', { items: 5 });
    expect(sink.track.rate(sink.now).now).toBeCloseTo(100);
    sink.repeat(40, 'busy', { items: 50 });
    expect(sink.track.rate(sink.now).now).toBeCloseTo(1000, -2);
    expect(sink.track.rate(sink.now).average).toBeCloseTo(156.25);
    // Nobody watched for a minute.
    sink.now += 60_000;
    sink.repeat(20, 'busy', { items: 5 });
    expect(sink.track.rate(sink.now).now).toBeCloseTo(100);
  });
});
