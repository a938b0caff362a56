/** Each mode on virtual time, where a second costs nothing and a millisecond is exactly one. */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { GracefulShutdown } from '@streamweld/core';
import { useVirtualClock } from '@streamweld/testing';
import { explain } from '../src/explain.ts';
import { leastMs, type Mode } from '../src/modes.ts';
import { build, type Settings } from '../src/pipeline.ts';
import { changeOf, read } from '../src/reading.ts';
import { perform, type Result } from '../src/run.ts';

const time = useVirtualClock({ beforeEach, afterEach });

const SETTINGS: Settings = { sourceMs: 2, sinksMs: [5, 10, 20], items: 700, bufferSize: 10, seed: 1 };

async function run(mode: Mode, settings: Partial<Settings> = {}): Promise<Result> {
  using shutdown = new GracefulShutdown({ say: () => {} });
  const experiment = await time().run(build(mode, { ...SETTINGS, ...settings }));
  return await time().run(perform(experiment, shutdown));
}

describe('the modes', () => {
  it.each([
    // Nothing of the one while the other works.
    ['sequential', 700 * (2 + 5), [700]],
    // The first item has to be there, and then the slower sets the pace.
    ['concurrent', 2 + 700 * 5, [700]],
    ['broadcast', 2 + 700 * 20, [700, 700, 700]],
  ] as const)('%s takes as long as it must, and not more', async (mode, durationMs, shares) => {
    const result = await run(mode);
    expect([result.durationMs, result.shares]).toEqual([durationMs, shares]);
    expect(result.proof).toEqual({ holds: true, says: expect.stringMatching(/once.*in order/u) });
  });

  it('demand gives each sink as many items as it is fast', async () => {
    const { durationMs, shares, proof } = await run('demand');
    // 350 items a second, of which the sinks do 200, 100 and 50.
    expect(durationMs).toBeGreaterThanOrEqual(2000);
    expect(durationMs).toBeLessThan(2050);
    for (const [at, expected] of [400, 200, 100].entries())
      expect(Math.abs((shares[at] as number) - expected)).toBeLessThanOrEqual(3);
    expect(shares.reduce((sum, share) => sum + share)).toBe(700);
    expect(proof.holds).toBe(true);
  });

  it('demand takes turns where the source is slower than all of them together', async () => {
    const { shares, explanation } = await run('demand', { sourceMs: 50 });
    expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(1);
    expect(explanation).toBe(
      'Each sink takes about as many items. The source is the slowest here: whoever is free is given the next item.',
    );
  });

  it('partition takes as long as the partition with most to do, and the seed says which that is', async () => {
    const [one, again, other] = [
      await run('partition'),
      await run('partition'),
      await run('partition', { seed: 2 }),
    ];
    const [, , slowest] = one.shares as [number, number, number];
    expect(one.durationMs).toBeGreaterThanOrEqual(slowest * 20);
    expect(one.durationMs).toBeLessThan(slowest * 20 * 1.05);
    expect(one.leastMs).toBe(slowest * 20);
    expect(one.proof).toEqual({
      holds: true,
      says: 'each once, 12 keys, each at one of 3 sinks, in order',
    });
    expect(again).toEqual(one);
    expect(other.shares).not.toEqual(one.shares);
  });

  it('takes no time where nothing does', async () => {
    for (const mode of ['sequential', 'concurrent', 'broadcast', 'demand', 'partition'] as const) {
      const { durationMs, proof, items } = await run(mode, { sourceMs: 0, sinksMs: [0, 0] });
      expect([mode, durationMs, items, proof.holds]).toEqual([mode, 0, 700, true]);
    }
  });

  it('delivers what was handed out when it is stopped, and proves that', async () => {
    using shutdown = new GracefulShutdown({ say: () => {} });
    const experiment = await time().run(build('broadcast', SETTINGS));
    const running = perform(experiment, shutdown);
    await time().advance(1000);
    shutdown.stop();
    const { outcome, items, shares, proof } = await time().run(running);
    // Of the slow sink 50 a second, 10 that wait for it, 10 of the pipeline.
    expect(items).toBeGreaterThan(50);
    expect(items).toBeLessThan(75);
    expect([outcome, shares, proof.holds]).toEqual(['drained', [items, items, items], true]);
  });

  it('proves nothing where it is ended, and ends soon', async () => {
    using shutdown = new GracefulShutdown({ say: () => {} });
    const experiment = await time().run(build('broadcast', { ...SETTINGS, sinksMs: [1000] }));
    const running = perform(experiment, shutdown);
    running.catch(() => {});
    await time().advance(100);
    shutdown.stop();
    const before = time().elapsed;
    shutdown.stop();
    await expect(time().run(running)).rejects.toMatchObject({ code: 'SW_PROGRAM_INTERRUPTED' });
    expect(time().elapsed - before).toBe(0);
  });
});

describe('a change of speed', () => {
  it('holds from the next item on', async () => {
    using shutdown = new GracefulShutdown({ say: () => {} });
    const experiment = await time().run(build('concurrent', { ...SETTINGS, items: 1000 }));
    const running = perform(experiment, shutdown);
    await time().advance(1002);
    expect(read(experiment).sinks[0]?.items).toBe(200);
    (experiment.sinks[0] as { pace: { costMs: number } }).pace.costMs = 20;
    await time().advance(1000);
    // One was on its way already, at its old speed.
    expect(read(experiment).sinks[0]?.items).toBe(250);
    await time().run(running);
  });
});

describe('leastMs', () => {
  it.each([
    ['sequential', 7000],
    ['concurrent', 5000],
    ['broadcast', 20_000],
    ['demand', 4000],
    ['partition', 20_000],
  ] as const)('of %s', (mode, expected) => {
    const both = [
      { ms: 5, items: 1000 },
      { ms: 20, items: 1000 },
    ];
    const one = mode === 'sequential' || mode === 'concurrent';
    expect(leastMs(mode, { sourceMs: 2, sinks: one ? both.slice(0, 1) : both, items: 1000 })).toBe(expected);
  });
});

describe('what one sees', () => {
  it.each([
    ['sequential', {}, 'They take turns: an item takes 2 ms and 5 ms'],
    ['concurrent', {}, 'The sink is slower and sets the pace: the buffer is full, and the source waits 59 %'],
    [
      'concurrent',
      { sourceMs: 20 },
      'The source is slower and sets the pace: the buffer is empty, and the sink waits 75 %',
    ],
    ['concurrent', { sourceMs: 5 }, 'about as fast: hardly anybody waits'],
    ['broadcast', {}, 'the slowest sets the pace: sink 1 waits 75 % of its time for sink 3'],
    ['broadcast', { sourceMs: 40 }, 'The source is the slowest here, so all of them wait for it'],
    [
      'broadcast',
      { items: 15 },
      'So far nobody is held up: what sink 3 has not done yet waits in its buffer',
    ],
    ['broadcast', { sinksMs: [9, 9] }, 'all are about as fast: they keep step'],
    [
      'demand',
      {},
      'sink 1 takes 57 % of the items, sink 3 only 14 %: demand follows speed, and every sink is busy',
    ],
    ['demand', { sourceMs: 0, sinksMs: [0, 0] }, 'Nobody takes time for an item'],
    ['demand', { sourceMs: 0, sinksMs: [0, 9] }, 'sink 1 takes'],
    ['demand', { sinksMs: [9] }, 'One sink alone takes every item'],
    ['demand', { sinksMs: [9, 9] }, 'Each sink takes about as many items: demand follows speed'],
    [
      'partition',
      {},
      'Keys decide, not speed: sink 3 has keys e, f and k, which no other may take, so sink 1 waits 49 %',
    ],
    ['partition', { items: 20 }, 'So far nobody is held up: what sink 3'],
    ['partition', { sourceMs: 40 }, 'The source is the slowest here'],
  ] as const)('of %s with %j', async (mode, settings, sentence) => {
    const { explanation } = await run(mode, settings);
    expect(explanation).toContain(sentence);
  });

  it('is told of the last seconds alone, if that is what is asked', async () => {
    using shutdown = new GracefulShutdown({ say: () => {} });
    const experiment = await time().run(build('concurrent', { ...SETTINGS, items: 2000 }));
    const running = perform(experiment, shutdown);
    await time().advance(1000);
    experiment.source.pace.costMs = 50;
    await time().advance(1000);
    const before = read(experiment);
    await time().advance(2000);
    const now = read(experiment);
    expect(explain(now, changeOf(now, before))).toContain('The source is slower and sets the pace');
    expect(changeOf(now, before).source.items).toBe(40);
    void experiment.pipeline.pause();
    await time().settle();
    const paused = read(experiment);
    expect(explain(paused, changeOf(paused, now))).toMatch(/^Paused/u);
    experiment.pipeline.resume();
    void experiment.pipeline.drain();
    await time().run(running);
  });
});
