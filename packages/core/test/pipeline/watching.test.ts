/** What whoever watches a pipeline or a dispatcher sees: who does what, how far it has come, what failed, each operation. */

import { describe, expect, it, vi } from 'vitest';
import { generate } from '../../src/builtin/sources.ts';
import { DispatchedPipelineBuilder } from '../../src/dispatch/builder.ts';
import type { DispatcherSnapshot } from '../../src/dispatch/dispatch-core.ts';
import { from } from '../../src/flow/flow.ts';
import type { Operation, OperationEnd } from '../../src/observe.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import { Deferred } from '../../src/deferred.ts';
import { ControlledSink, ControlledSource } from '../controlled.ts';
import { useLeakCheck } from '../leak-check.ts';
import { useVirtualClock } from '../clock.ts';

const time = useVirtualClock();
useLeakCheck(time);

/** Who does what, by name. */
function activities(pipeline: ConcurrentPipeline<never> | ConcurrentPipeline<number>): string[] {
  return pipeline.snapshot().stages.map(({ name, activity }) => `${name} ${activity}`);
}

function started<T>(pipeline: ConcurrentPipeline<T>): Promise<unknown> {
  const run = pipeline.run();
  run.catch(() => {});
  return run;
}

/** Notes what an observer is told. */
function noting() {
  const log: string[] = [];
  const observer = ({ kind, id, items, attempt }: Operation) => {
    log.push(`${kind} ${id} ${items} ×${attempt}`);
    return (end: OperationEnd) => {
      const { code } = (end.error ?? {}) as { code?: string };
      log.push(`${kind} ${id} ended: ${end.items}${end.error === undefined ? '' : ` ${code}`}`);
    };
  };
  return { log, observer };
}

describe('ConcurrentPipeline.snapshot: activity', () => {
  it('names the one that holds the others up: source, operator, sink', async () => {
    const source = new ControlledSource<number>();
    const sink = new ControlledSink<number>();
    const calls: Deferred<number>[] = [];
    const slow = (): Promise<number> => {
      const call = new Deferred<number>();
      calls.push(call);
      return call.promise;
    };
    const flow = from(source)
      .filter(() => true)
      .map(slow)
      .tap(() => {});
    const pipeline = new ConcurrentPipeline(flow, sink).bufferSize(2);
    expect(activities(pipeline)).toEqual([
      'controlled source idle',
      'filter idle',
      'map idle',
      'tap idle',
      'controlled sink idle',
    ]);
    const run = started(pipeline);
    await time().settle();
    expect(activities(pipeline)).toEqual([
      'controlled source busy',
      'filter waitingForInput',
      'map waitingForInput',
      'tap waitingForInput',
      'controlled sink waitingForInput',
    ]);

    source.lastPull.answer([1]);
    await time().settle();
    expect(activities(pipeline)).toEqual([
      'controlled source waitingForRoom',
      'filter waitingForRoom',
      'map busy',
      'tap waitingForInput',
      'controlled sink waitingForInput',
    ]);
    expect(pipeline.snapshot().stages.map(({ inFlight }) => inFlight)).toEqual([0, 0, 1, 0, 0]);

    calls[0]?.resolve(1);
    await time().settle();
    source.lastPull.answer([2]);
    await time().settle();
    calls[1]?.resolve(2);
    await time().settle();
    expect(activities(pipeline)).toEqual([
      'controlled source waitingForRoom',
      'filter waitingForRoom',
      'map waitingForRoom',
      'tap waitingForRoom',
      'controlled sink busy',
    ]);

    sink.writes[0]?.accept();
    await time().settle();
    sink.writes[1]?.accept();
    await time().settle();
    source.lastPull.answer(undefined);
    await time().run(run as Promise<unknown>);
    expect(new Set(pipeline.snapshot().stages.map(({ activity }) => activity))).toEqual(new Set(['idle']));
  });

  it('counts the calls of a processor, a flatMap and a throttle', async () => {
    const gate = new Deferred<number[]>();
    const pipeline = new ConcurrentPipeline(
      from([1, 2, 3]).through<number>({ name: 'slow', process: () => gate.promise }),
      () => {},
    );
    const run = started(pipeline);
    await time().settle();
    expect(pipeline.snapshot().stages[1]).toMatchObject({ name: 'slow', inFlight: 1, activity: 'busy' });
    gate.resolve([1]);
    await time().run(run as Promise<unknown>);
    expect(pipeline.snapshot().stages[1]?.inFlight).toBe(0);

    const inner = new Deferred<number[]>();
    const flat = new ConcurrentPipeline(
      from([1]).flatMap(() => inner.promise),
      () => {},
    );
    const flatRun = started(flat);
    await time().settle();
    expect(flat.snapshot().stages[1]).toMatchObject({ name: 'flatMap', inFlight: 1, activity: 'busy' });
    inner.resolve([1, 2]);
    await time().run(flatRun as Promise<unknown>);
    expect(flat.snapshot().stages[1]?.inFlight).toBe(0);

    const throttled = new ConcurrentPipeline(from([1, 2]).throttle(1, { perMs: 1000 }), () => {});
    const throttledRun = started(throttled);
    await time().advance(500);
    expect(throttled.snapshot().stages[1]).toMatchObject({ name: 'throttle', activity: 'busy' });
    await time().run(throttledRun as Promise<unknown>);
  });

  it('is idle while it is paused, but for what is outstanding', async () => {
    const sink = new ControlledSink<number>();
    const pipeline = new ConcurrentPipeline(from([1, 2, 3]), sink).bufferSize(2);
    const run = started(pipeline);
    await time().settle();
    void pipeline.pause();
    expect(activities(pipeline).at(-1)).toBe('controlled sink busy');
    sink.writes[0]?.accept();
    await time().settle();
    expect(activities(pipeline)).toEqual(['array idle', 'controlled sink idle']);
    await time().run(pipeline.abort());
    await expect(run).rejects.toThrow();
  });
});

describe('ConcurrentPipeline.snapshot before it runs', () => {
  it('tells what it consists of, and builds nothing that lasts', () => {
    const source = new ControlledSource<number>();
    const flow = from(source)
      .map((n) => n + 1)
      .merge(from([7]));
    const pipeline = new ConcurrentPipeline(flow, new ControlledSink<number>())
      .bufferSize(7)
      .name('idle one');
    const snapshot = pipeline.snapshot();
    expect(snapshot).toMatchObject({ name: 'idle one', state: 'idle', elapsedMs: 0, read: 0, written: 0 });
    const ids = snapshot.stages.map(({ id }) => id);
    expect(new Set(ids).size).toBe(5);
    expect(snapshot.edges).toHaveLength(4);
    expect(snapshot.edges.at(-1)).toMatchObject({
      to: ids.at(-1),
      buffer: { capacity: 7, queued: 0, inFlight: 0, demand: 7 },
    });
    expect(source.calls).toEqual([]);
  });

  it('gives the stages the ids that they have while it runs', async () => {
    const flow = from([1])
      .map((n) => n)
      .filter(() => true);
    const pipeline = new ConcurrentPipeline(flow, () => {});
    const before = pipeline.snapshot();
    await time().run(pipeline.run());
    const after = pipeline.snapshot();
    expect(after.stages.map(({ id }) => id)).toEqual(before.stages.map(({ id }) => id));
    expect(after.edges.map(({ from: a, to }) => [a, to])).toEqual(
      before.edges.map(({ from: a, to }) => [a, to]),
    );
  });

  it('makes no processor for it: who knows what that would start', async () => {
    let made = 0;
    const flow = from([1]).through(function resize() {
      made += 1;
      return { name: 'resizer', process: (batch: readonly number[]) => batch };
    });
    const pipeline = new ConcurrentPipeline(flow, () => {});
    expect([pipeline.snapshot().stages[1]?.name, made]).toEqual(['resize', 0]);
    await time().run(pipeline.run());
    expect([pipeline.snapshot().stages[1]?.name, made]).toEqual(['resizer', 1]);
  });

  it('can show a flow that sends items to a dead letter', () => {
    const flow = from([1]).map((n) => n, { onError: 'deadLetter' });
    expect(new ConcurrentPipeline(flow, () => {}).snapshot().stages[1]?.name).toBe('map');
  });
});

describe('ConcurrentPipeline.snapshot: failures', () => {
  it('counts writes that failed by code, without a message, and names what ended the run', async () => {
    const errors = [
      Object.assign(new Error('password=hunter2'), { code: 'ECONNRESET' }),
      Object.assign(new Error('password=hunter2'), { code: 'ECONNRESET' }),
      new TypeError('hunter2 again'),
    ];
    const pipeline = new ConcurrentPipeline(from([1]), {
      name: 'fragile',
      write: () => Promise.reject(errors.shift()),
    }).retry({ attempts: 3, backoff: { firstMs: 1 } });
    const run = started(pipeline);
    await expect(time().run(run as Promise<unknown>)).rejects.toThrow();
    const snapshot = pipeline.snapshot();
    expect(snapshot.stages.at(-1)?.failures).toEqual([
      { code: 'ECONNRESET', count: 2 },
      { code: 'TypeError', count: 1 },
    ]);
    expect(snapshot.failure).toMatchObject({ code: 'SW_SINK_FAILED', stage: 'fragile' });
    expect(JSON.stringify(snapshot)).not.toContain('hunter2');
  });

  it('keeps the message of an error that is not ours to itself', async () => {
    const pipeline = new ConcurrentPipeline(
      generate(() => new Deferred<number>().promise),
      () => {},
    );
    const run = started(pipeline);
    await time().settle();
    await time().run(pipeline.abort(new RangeError('hunter2')));
    await expect(run).rejects.toThrow('hunter2');
    expect(pipeline.snapshot().failure).toEqual({ code: 'RangeError' });
  });

  it('counts items that an operator refused', async () => {
    const flow = from([1, 2, 3]).map(
      (n) => {
        if (n !== 2) throw new SyntaxError('no');
        return n;
      },
      { onError: 'drop' },
    );
    const pipeline = new ConcurrentPipeline(flow, () => {});
    await time().run(pipeline.run());
    expect(pipeline.snapshot().stages[1]?.failures).toEqual([{ code: 'SyntaxError', count: 2 }]);
  });

  it('tells no more than twenty codes apart, and survives an error that throws when it is read', async () => {
    let writes = 0;
    const vicious = Object.defineProperty({}, 'code', {
      get: () => {
        throw new Error('no');
      },
    });
    const pipeline = new ConcurrentPipeline(from([1]), () => {
      writes += 1;
      throw writes === 1 ? vicious : Object.assign(new Error(), { code: `E${writes}` });
    }).retry({ attempts: 30, backoff: { firstMs: 1, maxMs: 1 } });
    await expect(time().run(started(pipeline))).rejects.toThrow();
    const failures = pipeline.snapshot().stages.at(-1)?.failures ?? [];
    expect(failures[0]).toEqual({ code: 'object', count: 1 });
    expect(failures).toHaveLength(21);
    expect(failures.at(-1)).toEqual({ code: 'others', count: 10 });
  });
});

describe('ConcurrentPipeline.lanes', () => {
  it('tells what is open, settled and committed, lane by lane', async () => {
    const source = new ControlledSource<number>();
    const sink = new ControlledSink<number>();
    const pipeline = new ConcurrentPipeline(source, sink).commitEvery({ items: 2 });
    expect(() => pipeline.lanes()).toThrow(expect.objectContaining({ code: 'SW_PIPELINE_IDLE' }));
    const run = started(pipeline);
    await time().settle();
    source.lastPull.answer({ items: [1, 2], position: 2, lane: 'a' });
    await time().settle();
    source.lastPull.answer({ items: [3], position: 1, lane: 'b' });
    await time().settle();
    const id = 'controlled source#0';
    expect(pipeline.lanes()).toEqual([
      { source: id, lane: 'a', position: undefined, committed: undefined, open: 2 },
      { source: id, lane: 'b', position: undefined, committed: undefined, open: 1 },
    ]);
    sink.writes[0]?.accept();
    await time().settle();
    sink.writes[1]?.accept();
    await time().settle();
    expect(pipeline.lanes()).toEqual([
      { source: id, lane: 'a', position: 2, committed: 2, open: 0 },
      { source: id, lane: 'b', position: 1, committed: undefined, open: 0 },
    ]);
    expect(pipeline.lanes(1)).toHaveLength(1);
    source.lastPull.answer(undefined);
    await time().run(run as Promise<unknown>);
    expect(pipeline.lanes().map(({ committed }) => committed)).toEqual([2, 1]);
  });
});

describe('ConcurrentPipeline.lanes: lag', () => {
  it('is what the source tells while it is open, of lanes too of which nothing came yet', async () => {
    const source = new ControlledSource<number>();
    let asked = 0;
    const pipeline = new ConcurrentPipeline(
      Object.assign(source, {
        lag: () => {
          asked += 1;
          return [
            { lane: 'a', lag: 7 },
            { lane: 'b', lag: 3 },
          ];
        },
      }),
      () => {},
    );
    const run = started(pipeline);
    await time().settle();
    source.lastPull.answer({ items: [1], position: 1, lane: 'a' });
    await time().settle();
    expect(asked).toBe(0);
    const id = 'controlled source#0';
    expect(pipeline.lanes()).toEqual([
      { source: id, lane: 'a', position: 1, committed: undefined, open: 0, lag: 7 },
      { source: id, lane: 'b', position: undefined, committed: undefined, open: 0, lag: 3 },
    ]);
    expect(pipeline.lanes(1)).toHaveLength(1);
    source.lastPull.answer(undefined);
    await time().run(run as Promise<unknown>);
    asked = 0;
    expect(pipeline.lanes()).toEqual([{ source: id, lane: 'a', position: 1, committed: 1, open: 0 }]);
    expect(asked).toBe(0);
  });

  it('is unknown where the source throws when it is asked', async () => {
    const source = Object.assign(new ControlledSource<number>(), {
      lag: () => {
        throw new Error('no');
      },
    });
    const pipeline = new ConcurrentPipeline(source, () => {});
    const run = started(pipeline);
    await time().settle();
    expect(pipeline.lanes()).toEqual([]);
    source.lastPull.answer(undefined);
    await time().run(run as Promise<unknown>);
  });

  it('has the name of its lane among those of several sources', async () => {
    const behind = (lag: number) => {
      const source = new ControlledSource<number>();
      return Object.assign(source, { lag: () => [{ lane: '0', lag }] });
    };
    const [one, two] = [behind(1), behind(2)];
    const pipeline = new ConcurrentPipeline(from(one).merge(from(two)), () => {});
    const run = started(pipeline);
    await time().settle();
    expect(pipeline.lanes().map(({ lane, lag }) => [lane, lag])).toEqual([
      ['controlled source#0/0', 1],
      ['controlled source#1/0', 2],
    ]);
    one.lastPull.answer(undefined);
    two.lastPull.answer(undefined);
    await time().run(run as Promise<unknown>);
  });
});

describe('ConcurrentPipeline.observe', () => {
  it('tells each pull and each write as it begins and ends, until it is told to stop', async () => {
    const source = new ControlledSource<number>();
    const sink = new ControlledSink<number>();
    const pipeline = new ConcurrentPipeline(source, sink).bufferSize(8).retry({
      attempts: 2,
      backoff: { firstMs: 1 },
    });
    const { log, observer } = noting();
    const stop = pipeline.observe(observer);
    const run = started(pipeline);
    await time().settle();
    source.lastPull.answer([1, 2, 3]);
    await time().settle();
    sink.writes[0]?.fail(Object.assign(new Error('busy'), { code: 'EBUSY' }));
    await time().advance(10);
    sink.writes[1]?.accept();
    await time().settle();
    const expected = [
      'pull controlled source#0 4 ×1',
      'pull controlled source#0 ended: 3',
      'write controlled sink#1 3 ×1',
      'pull controlled source#0 4 ×1',
      'write controlled sink#1 ended: 0 EBUSY',
      'write controlled sink#1 3 ×2',
      'write controlled sink#1 ended: 3',
    ];
    expect(log).toEqual(expected);
    stop();
    source.lastPull.answer([4]);
    await time().settle();
    sink.writes[2]?.accept();
    await time().settle();
    source.lastPull.answer(undefined);
    await time().run(run as Promise<unknown>);
    // What had begun is told of its end, and nothing else.
    expect(log).toEqual([...expected, 'pull controlled source#0 ended: 1']);
  });

  it('is told of a pull that answers at once, and of one that fails', async () => {
    const { log, observer } = noting();
    const failing = new ConcurrentPipeline(
      {
        name: 'half',
        pull: vi
          .fn()
          .mockReturnValueOnce([1])
          .mockImplementationOnce(() => {
            throw Object.assign(new Error('no'), { code: 'EIO' });
          }),
      },
      () => {},
    ).bufferSize(2);
    failing.observe(observer);
    await expect(time().run(started(failing))).rejects.toThrow();
    expect(log).toEqual([
      'pull half#0 1 ×1',
      'pull half#0 ended: 1',
      'write function#1 1 ×1',
      'write function#1 ended: 1',
      'pull half#0 1 ×1',
      'pull half#0 ended: 0 EIO',
    ]);
  });

  it('is not disturbed by an observer that throws', async () => {
    const { log, observer } = noting();
    const pipeline = new ConcurrentPipeline(from([1, 2]), () => {});
    pipeline.observe(() => {
      throw new Error('I only watch');
    });
    pipeline.observe(() => () => {
      throw new Error('I only watch');
    });
    pipeline.observe(observer);
    expect(await time().run(pipeline.run())).toMatchObject({ written: 2 });
    expect(log).toHaveLength(6);
  });
});

describe('ConcurrentPipeline.ended', () => {
  it('resolves when the run has ended, before whoever runs it goes on', async () => {
    const order: string[] = [];
    const pipeline = new ConcurrentPipeline(from([1]), () => {});
    void pipeline.ended().then(() => order.push(`ended ${pipeline.state}`));
    const run = pipeline.run().then(() => order.push('run'));
    void pipeline.ended().then(() => order.push('asked while it runs'));
    await time().run(run);
    await pipeline.ended();
    expect(order).toEqual(['ended done', 'asked while it runs', 'run']);
  });

  it('resolves where the run fails, and leaves the failure to whoever runs it', async () => {
    const pipeline = new ConcurrentPipeline(from([1]), () => {
      throw new Error('no');
    });
    const ended = pipeline.ended();
    await expect(time().run(started(pipeline))).rejects.toThrow();
    await ended;
    await pipeline.ended();
  });
});

describe('Dispatcher: what is behind a pipeline', () => {
  it('is found by the id of its sink, through every level, and its writes are observed', async () => {
    const inner = new DispatchedPipelineBuilder<number>({ name: 'inner' }).demand();
    await inner.subscribeSink(() => {}, undefined, { name: 'leaf' });
    const outer = new DispatchedPipelineBuilder<number>({ name: 'outer' }).broadcast();
    await outer.subscribeSink(inner.createSink());
    await outer.subscribeSink(() => {}, undefined, { name: 'leaf' });
    const pipeline = new ConcurrentPipeline(from([1, 2]), outer.createSink());
    expect([...pipeline.behind()]).toEqual([['outer#1', outer]]);
    expect([...outer.behind()]).toEqual([['inner#0', inner]]);
    expect(inner.behind().size).toBe(0);
    expect(new ConcurrentPipeline(from([1]), () => {}).behind().size).toBe(0);
    const { log, observer } = noting();
    outer.observe(observer);
    await time().run(pipeline.run());
    expect(log).toContain('write leaf#1 2 ×1');
    expect(log).toContain('write leaf#1 ended: 2');
    const { sinks } = outer.snapshot() as DispatcherSnapshot;
    expect(sinks.map(({ id }) => id)).toEqual(['inner#0', 'leaf#1']);
  });

  it('tells of each sink what it does, and what failed, over all its seats', async () => {
    const dispatcher = new DispatchedPipelineBuilder<number>().partition(1, (n) => n, { key: (n) => n });
    const gates: Deferred[] = [];
    let failures = 3;
    await dispatcher.subscribeSink(
      {
        name: 'slow',
        write: () => {
          failures -= 1;
          if (failures >= 0) throw Object.assign(new Error(), { code: 'EBUSY' });
          gates.push(new Deferred());
          return gates.at(-1)?.promise;
        },
      },
      0,
      { maxConcurrency: 2, retry: { attempts: 5, backoff: { firstMs: 1 } } },
    );
    expect(dispatcher.sinks()[0]).toMatchObject({ activity: 'waitingForInput', failures: [] });
    const run = started(new ConcurrentPipeline(from([1, 2, 3, 4, 5, 6, 7, 8]), dispatcher.createSink()));
    await time().advance(100);
    expect(dispatcher.sinks()[0]).toMatchObject({
      activity: 'busy',
      failures: [{ code: 'EBUSY', count: 3 }],
    });
    while (gates.length > 0) {
      gates.pop()?.resolve();
      await time().settle();
    }
    await time().run(run);
    expect(dispatcher.sinks()[0]?.activity).toBe('idle');
  });
});
