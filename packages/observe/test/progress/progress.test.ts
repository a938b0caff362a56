/** progress(), on real pipelines and virtual time. What a process does at its end is in process.test.ts. */

import {
  ConcurrentPipeline,
  DispatchedPipelineBuilder,
  from,
  generate,
  type Sink,
  type Watchable,
} from '@streamweld/core';
import { useLeakCheck } from '@streamweld/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Progress, progress, type ProgressOptions } from '../../src/progress/progress.ts';
import { useVirtualClock } from '../clock.ts';
import { Terminal } from '../terminal.ts';

const time = useVirtualClock();
useLeakCheck({ beforeEach, afterEach }, { clock: time });

beforeEach(() => {
  for (const name of ['CI', 'NO_COLOR', 'FORCE_COLOR']) vi.stubEnv(name, undefined);
  vi.stubEnv('TERM', 'xterm');
});
const handles: Progress[] = [];
afterEach(() => {
  for (const handle of handles.splice(0)) handle.stop();
  vi.unstubAllEnvs();
  for (const event of ['exit', 'SIGINT', 'SIGTERM', 'SIGHUP'])
    expect([
      event,
      process.listeners(event as 'SIGINT').filter(({ name }) => name.startsWith('on')).length,
    ]).toEqual([event, 0]);
});

/** 100 items every 4 ms. */
function ticking(batches: number) {
  let left = batches;
  return {
    name: 'kafka',
    pull: async (): Promise<readonly number[] | undefined> => {
      await time().sleep(4);
      left -= 1;
      return left < 0 ? undefined : Array.from({ length: 100 }, (_, n) => n);
    },
  };
}

function slow(name: string, ms: number, more: Partial<Sink<number>> = {}): Sink<number> {
  return { name, batching: { maxItems: 100 }, write: () => time().sleep(ms), ...more };
}

function orders(batches: number): ConcurrentPipeline<number> {
  return new ConcurrentPipeline<number>(
    from(ticking(batches)).filter((n) => n !== 3),
    slow('postgres', 20),
  )
    .name('orders')
    .bufferSize(1000);
}

function shown(pipeline: Watchable, options: ProgressOptions = {}, terminal = new Terminal()) {
  const handle = progress(pipeline, { stream: terminal, ...options });
  handles.push(handle);
  return { terminal, handle };
}

describe("progress: 'tty'", () => {
  it('draws where things stand, first after half a second, and at last how it came out', async () => {
    const pipeline = orders(600);
    const { terminal, handle } = shown(pipeline, { total: 60_000 });
    expect(handle.mode).toBe('tty');
    const run = pipeline.run();
    await time().advance(450);
    expect(terminal.raw).toBe('');
    await time().advance(5000);
    const [head, bar, source, filter, sink, bottleneck, ...rest] = terminal.lines;
    expect(head).toMatch(/^. orders running {2}5\.\d s {2}5\.0k\/s \(\d\.\dk\/s on average\)$/u);
    expect(bar).toMatch(/^ {2}━+╸?─+ {2}4\d % {2}2\d,\d00 of 60,000 {2}0:0\d left$/u);
    expect(source).toMatch(/^ {2}kafka +2\d,\d00 +[45]\.\dk\/s +waits for room [78]\d %$/u);
    expect(filter).toMatch(/^ {2}filter +2\d,\d+ +\d\.\dk\/s +waits for room [78]\d %$/u);
    expect(sink).toMatch(/^ {2}postgres +2\d,\d+ +5\.0k\/s {2}█{7,10}░* +\d+ % {2}busy 100 %$/u);
    expect(bottleneck).toMatch(/^ {2}waiting for postgres [78]\d %$/u);
    expect(rest).toEqual([]);
    await time().run(run);
    expect(terminal.lines[0]).toMatch(
      /^✓ orders completed in 0:12: 60,000 items read, 59,400 written, 5\.0k\/s$/u,
    );
    expect(terminal.lines.slice(1).map((line) => line.trim().split(/ {2,}/u))).toEqual([
      ['stage', 'items', 'average', 'busy', 'no items', 'no room'],
      ['kafka', '60,000', '5.0k/s', expect.stringMatching(/^[12]\d %$/), expect.stringMatching(/^[78]\d %$/)],
      ['filter', '59,400', '5.0k/s', expect.stringMatching(/^\d+ %$/), expect.stringMatching(/^[78]\d %$/)],
      ['postgres', '59,400', '5.0k/s', '100 %'],
    ]);
    expect(terminal.isCursorShown).toBe(true);
    expect(terminal.listenerCount()).toBe(0);
  });

  it('makes a single line of what took less than half a second', async () => {
    const pipeline = new ConcurrentPipeline(from([1, 2, 3]), () => {}).name('brief');
    const { terminal } = shown(pipeline);
    await time().run(pipeline.run());
    expect(terminal.lines).toEqual([expect.stringMatching(/^✓ brief completed in 0\.0 s: 3 items, /u)]);
  });

  it('is red above 85 % of a buffer, and without colours where they are refused', async () => {
    const fill = () =>
      new ConcurrentPipeline(
        generate((n) => n, { count: 2000 }),
        slow('s', 100),
      ).bufferSize(200);
    const pipeline = fill();
    const { terminal } = shown(pipeline);
    const run = pipeline.run();
    await time().advance(1000);
    expect(terminal.raw).toContain(`\u001b[31m${'█'.repeat(10)}\u001b[39m`);
    expect(terminal.raw).toContain('\u001b[33mwaiting for s 100 %'.replace('[33m', '[33m  '));
    await time().run(run);
    vi.stubEnv('NO_COLOR', '1');
    const again = fill();
    const { terminal: grey } = shown(again);
    await time().run(again.run());
    expect(grey.raw).toContain('█'.repeat(10));
    expect(grey.raw).not.toMatch(/\p{Cc}\[[\d;]*m/u);
  });

  it('fits into any terminal', async () => {
    for (const [columns, height] of [
      [200, 50],
      [80, 24],
      [50, 10],
      [30, 6],
      [12, 4],
      [10, 2],
    ] as const) {
      const dispatcher = new DispatchedPipelineBuilder<number>({ name: 'all sorts of sinks' }).broadcast();
      for (const name of ['a', 'b', 'c']) await dispatcher.subscribeSink(slow(name, 15), undefined, { name });
      const pipeline = new ConcurrentPipeline(
        from(ticking(100)).map((n) => n),
        dispatcher.createSink(),
      );
      const terminal = new Terminal(columns, height);
      shown(pipeline, { total: 10_000 }, terminal);
      const run = pipeline.run();
      await time().advance(900);
      expect(terminal.lines.length).toBeLessThan(height);
      expect(Math.max(...terminal.lines.map((line) => line.length))).toBeLessThan(columns);
      await time().run(run);
      expect(Math.max(...terminal.lines.map((line) => line.length))).toBeLessThanOrEqual(columns);
    }
  });

  it('shows several at once, and each that ends above the others', async () => {
    const terminal = new Terminal();
    const [first, second] = [orders(100).name('first'), orders(300).name('second')];
    shown(first, {}, terminal);
    shown(second, {}, terminal);
    const runs = [first.run(), second.run()];
    await time().advance(1500);
    const heads = (): string[] =>
      terminal.lines.filter((line) => /^\S/u.test(line)).map((line) => line.slice(2, 20));
    expect(heads()).toEqual([
      expect.stringMatching(/^first running/u),
      expect.stringMatching(/^second running/u),
    ]);
    await time().advance(1500);
    expect(heads()).toEqual([
      expect.stringMatching(/^first completed/u),
      expect.stringMatching(/^second running/u),
    ]);
    await time().run(Promise.all(runs));
    expect(heads()).toEqual([
      expect.stringMatching(/^first completed/u),
      expect.stringMatching(/^second completed/u),
    ]);
    expect(terminal.isCursorShown).toBe(true);
  });

  it('tells of a pause, of what is repeated, and of a failure', async () => {
    let calls = 0;
    const pipeline = new ConcurrentPipeline(
      ticking(1000),
      slow('db', 20, {
        write: async () => {
          await time().sleep(20);
          calls += 1;
          if (calls % 4 === 0 || calls > 60)
            throw Object.assign(new Error('hunter2'), { code: 'ECONNRESET' });
        },
      }),
    )
      .name('shaky')
      .retry({ attempts: 3, backoff: { firstMs: 1 } });
    const { terminal } = shown(pipeline);
    const run = pipeline.run();
    await time().advance(1000);
    expect(terminal.lines[0]).toMatch(/ {2}\d+ retried$/u);
    void pipeline.pause();
    await time().advance(500);
    expect(terminal.lines[0]).toMatch(/^⏸ shaky paused/u);
    pipeline.resume();
    await expect(time().run(run)).rejects.toThrow();
    expect(terminal.lines.slice(0, 2).join('')).toMatch(
      /^✗ shaky failed \(SW_SINK_FAILED in db\) after \d\.\d s: .*, \d+ retried$/u,
    );
    expect(terminal.lines.at(-1)).toMatch(/^ {2}db: \d+ × ECONNRESET$/u);
    expect(terminal.raw).not.toContain('hunter2');
  });

  it('tells how far the sources are behind, where they can tell', async () => {
    let waiting = 400;
    const source = {
      name: 'topic',
      pull: async () => {
        await time().sleep(4);
        waiting -= 1;
        return waiting < 0 ? undefined : { items: [waiting], position: waiting, lane: 't/0' };
      },
      lag: () => [
        { lane: 't/0', lag: Math.max(0, waiting) },
        { lane: 't/1', lag: 10_000 },
      ],
    };
    const [pipeline, pipe] = [new ConcurrentPipeline(source, () => {}), new Terminal(80, 24, false)];
    const { terminal } = shown(pipeline);
    shown(pipeline, { everyMs: 500 }, pipe);
    const run = pipeline.run();
    await time().advance(1000);
    expect(terminal.lines[0]).toMatch(/on average\) {2}10,[1-3]\d\d behind$/u);
    await time().run(run);
    expect(pipe.lines[0]).toMatch(/ so far, 10,\d\d\d behind/u);
    expect(terminal.text).not.toContain('behind');
  });

  it('obeys nothing that stands in a name', async () => {
    const evil = 'a\u001b[2Jb\nc\u202e';
    const pipeline = new ConcurrentPipeline(ticking(100), slow(evil, 20)).name(evil);
    const { terminal } = shown(pipeline);
    await time().run(pipeline.run());
    expect(terminal.raw).toContain('a␛[2Jb␊c�');
    expect(terminal.raw).not.toContain('\u001b[2J');
    expect(terminal.lines[0]).toMatch(/^✓ a␛\[2Jb␊c� completed/u);
  });

  it('shows a dispatcher that somebody else feeds', async () => {
    const dispatcher = new DispatchedPipelineBuilder<number>({ name: 'workers' }).demand();
    for (const name of ['a', 'b']) await dispatcher.subscribeSink(slow(name, 40), undefined, { name });
    const { terminal } = shown(dispatcher);
    const run = new ConcurrentPipeline(ticking(200), dispatcher.createSink()).run();
    await time().advance(2000);
    expect(terminal.lines[0]).toMatch(/^. workers open/u);
    expect(terminal.lines.join('\n')).toMatch(/workers \(demand\).*\n {4}a +\d.*busy/u);
    await time().run(run);
    await time().advance(500);
    expect(terminal.lines[0]).toMatch(/^✓ workers completed in 4\.\d s: 20,000 items/u);
  });
});

describe("progress: 'plain'", () => {
  it('writes a line every ten seconds, and always a last one', async () => {
    const pipe = new Terminal(80, 24, false);
    const pipeline = orders(1200);
    const { handle } = shown(pipeline, { total: 120_000 }, pipe);
    expect(handle.mode).toBe('plain');
    await time().run(pipeline.run());
    expect(pipe.lines.slice(0, 3)).toEqual([
      expect.stringMatching(
        /^orders running: [45]\d,\d00 of 120,000 items \(4\d %\), 5\.0k\/s now, 5\.0k\/s on average, 0:10 so far, 0:1\d left, waiting for postgres [78]\d %$/u,
      ),
      expect.stringMatching(/^orders running: .* 0:20 so far/u),
      expect.stringMatching(/^✓ orders completed in 0:24: 120,000 items read, 118,800 written, 5\.0k\/s$/u),
    ]);
    expect(pipe.raw).not.toMatch(/(?!\n)\p{Cc}/u);
  });

  it('has no time left where the total is unknown or was too small', async () => {
    for (const total of [undefined, 10]) {
      const pipe = new Terminal(80, 24, false);
      const pipeline = orders(600);
      shown(pipeline, { everyMs: 1000, ...(total === undefined ? {} : { total }) }, pipe);
      await time().run(pipeline.run());
      expect(pipe.lines.length).toBeGreaterThan(8);
      expect(pipe.text).not.toContain('left');
    }
  });

  it('leaves the table out on request', async () => {
    const pipe = new Terminal(80, 24, false);
    const pipeline = orders(100);
    shown(pipeline, { report: false }, pipe);
    await time().run(pipeline.run());
    expect(pipe.lines).toHaveLength(1);
  });

  it('tells how far it came when it is stopped before', async () => {
    const pipe = new Terminal(80, 24, false);
    const pipeline = orders(1000);
    const { handle } = shown(pipeline, { report: false }, pipe);
    const run = pipeline.run();
    await time().advance(2000);
    handle.stop();
    handle.stop();
    expect(pipe.lines).toEqual([expect.stringMatching(/^✗ orders not finished after \d\.\d s: /u)]);
    await time().run(pipeline.drain());
    await run;
    expect(pipe.lines).toHaveLength(1);
  });

  it('tells a drain from an end', async () => {
    const pipe = new Terminal(80, 24, false);
    const pipeline = orders(1000);
    shown(pipeline, { report: false }, pipe);
    const run = pipeline.run();
    await time().advance(2000);
    await time().run(pipeline.drain());
    await run;
    expect(pipe.text).toMatch(/^✓ orders drained in /u);
  });
});

describe("progress: 'json' and 'none'", () => {
  it('writes an object a line, every second, and one at the end', async () => {
    const pipe = new Terminal(80, 24, false);
    const pipeline = orders(280);
    shown(pipeline, { mode: 'json', total: 28_000 }, pipe);
    await time().run(pipeline.run());
    const objects = pipe.raw
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(objects.map(({ type }) => type)).toEqual([...Array<string>(5).fill('progress'), 'end']);
    expect(objects[2]).toMatchObject({
      name: 'orders',
      state: 'running',
      total: 28_000,
      bottleneck: { text: expect.stringMatching(/^waiting for postgres/u) },
      stages: [
        { name: 'kafka', kind: 'source' },
        { name: 'filter' },
        { name: 'postgres', buffer: { capacity: 1000 } },
      ],
    });
    expect(objects.at(-1)).toMatchObject({
      outcome: 'completed',
      read: 28_000,
      written: 27_720,
      state: 'done',
    });
  });

  it('writes nothing, and looks at nothing', async () => {
    const pipeline = orders(100);
    const snapshot = vi.spyOn(pipeline, 'snapshot');
    const { terminal } = shown(pipeline, { mode: 'none' });
    await time().run(pipeline.run());
    expect([terminal.raw, snapshot.mock.calls.length]).toEqual(['', 0]);
  });
});

describe('progress: never in the way', () => {
  it('goes on when the stream throws, closes, or breaks', async () => {
    const thrower = {
      isTTY: true,
      write: () => {
        throw new Error('EPIPE');
      },
    };
    const broken = new Terminal();
    const closed = { isTTY: true, destroyed: true, write: vi.fn() };
    for (const stream of [thrower, broken, closed]) {
      const pipeline = orders(200);
      handles.push(progress(pipeline, { stream }));
      const run = pipeline.run();
      await time().advance(1000);
      if (stream === broken) broken.emit('error');
      const { length } = broken.raw;
      expect(await time().run(run)).toMatchObject({ written: 19_800 });
      expect(broken.raw.length).toBe(length);
    }
    expect(closed.write).not.toHaveBeenCalled();
  });

  it('tells of what has ended already, and takes it that nothing ever runs', async () => {
    const ended = orders(10);
    await time().run(ended.run());
    const pipe = new Terminal(80, 24, false);
    shown(ended, {}, pipe);
    expect(pipe.lines).toEqual([
      expect.stringMatching(/^✓ orders completed in 0\.2 s: 1,000 items read, 990 written, 4\.\dk\/s$/u),
    ]);
    const { terminal, handle } = shown(orders(10));
    await time().advance(5000);
    handle.stop();
    expect(terminal.raw).toBe('');
  });

  it('says what it wants', () => {
    const pipeline = orders(1);
    const wrong: [unknown, unknown][] = [
      [undefined, {}],
      [{}, {}],
      [pipeline, { mode: 'fancy' }],
      [pipeline, { total: -1 }],
      [pipeline, { everyMs: Number.NaN }],
      [pipeline, { report: 'yes' }],
      [pipeline, { colour: true }],
    ];
    for (const [target, options] of wrong) {
      expect(() => progress(target as Watchable, options as ProgressOptions)).toThrow(
        expect.objectContaining({ code: 'SW_OPTION_INVALID' }),
      );
    }
  });
});
