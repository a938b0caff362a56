/** What a run does when somebody fails: the first failure is its error, the later ones are noted on it, all are closed. */

import { describe, expect, it } from 'vitest';
import { StreamWeldError } from '../../src/errors.ts';
import { from } from '../../src/flow/flow.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import type { Accepted, Sink } from '../../src/sink.ts';
import type { Source } from '../../src/source.ts';
import { ControlledSink, ControlledSource, CountingSource, rejection } from '../controlled.ts';
import { useLeakCheck } from '../leak-check.ts';
import { useVirtualClock } from '../clock.ts';

const time = useVirtualClock();
const leaks = useLeakCheck(time);

/** What a run rejects with; it must be ours. */
async function failureOf(pipeline: ConcurrentPipeline<never> | ConcurrentPipeline<number>) {
  const error = await time().run(rejection(pipeline.run()));
  expect(error).toBeInstanceOf(StreamWeldError);
  expect(pipeline.state).toBe('done');
  return error as StreamWeldError;
}

const frozen = Object.freeze(new Error('frozen'));
const frozenOurs = Object.freeze(new StreamWeldError('SW_ITEM_INVALID', 'frozen'));
const causes = [
  ['an error', new Error('boom')],
  ['undefined', undefined],
  ['null', null],
  ['a string', 'boom'],
  ['a frozen error', frozen],
  ['a frozen object', Object.freeze({ secret: 'hunter2' })],
] as const;
const ways = ['throws', 'rejects'] as const;
const failures = ways.flatMap((way) => causes.map(([kind, cause]) => ({ way, kind, cause })));

/** Fails in one of two ways. */
function fail(way: (typeof ways)[number], cause: unknown): Promise<never> {
  if (way === 'throws') throw cause;
  return Promise.reject(cause);
}

describe('ConcurrentPipeline.run, failing', () => {
  it.each(failures)('[fault 8] a sink that $way $kind is SW_SINK_FAILED with that cause', async (row) => {
    const source = new CountingSource(100);
    let writes = 0;
    const closedWith: unknown[] = [];
    const sink: Sink<number> = {
      name: 'brittle',
      write: () => {
        writes += 1;
        return fail(row.way, row.cause);
      },
      close: (reason) => void closedWith.push(reason),
    };
    const error = await failureOf(new ConcurrentPipeline(source, sink));
    expect([error.code, error.stage, 'cause' in error, error.cause]).toEqual([
      'SW_SINK_FAILED',
      'brittle',
      true,
      row.cause,
    ]);
    expect(error.message).not.toContain('hunter2');
    expect(error.message).not.toContain('boom');
    expect(error.suppressed).toEqual([]);
    expect(writes).toBe(1);
    expect([closedWith, source.closedWith]).toEqual([[error], [error]]);
    expect(source.commits).toEqual([]);
  });

  it.each(failures)('[fault 8] a source that $way $kind is SW_SOURCE_FAILED with that cause', async (row) => {
    let pulls = 0;
    const closedWith: unknown[] = [];
    const source: Source<number> = {
      name: 'brittle',
      pull: () => {
        pulls += 1;
        return pulls === 1 ? [1] : fail(row.way, row.cause);
      },
      close: (reason) => void closedWith.push(reason),
    };
    const error = await failureOf(new ConcurrentPipeline(source, () => {}));
    expect([error.code, error.stage, error.cause]).toEqual(['SW_SOURCE_FAILED', 'brittle', row.cause]);
    expect([pulls, closedWith]).toEqual([2, [error]]);
  });

  it.each(failures)(
    '[fault 8] a function that $way $kind is SW_OPERATOR_FAILED with that cause',
    async (row) => {
      let calls = 0;
      const source = new CountingSource(100);
      const flow = from(source).map((): number | Promise<number> => {
        calls += 1;
        return fail(row.way, row.cause);
      });
      const error = await failureOf(new ConcurrentPipeline(flow as never, () => {}));
      expect([error.code, error.cause]).toEqual(['SW_OPERATOR_FAILED', row.cause]);
      if (row.way === 'throws') expect(calls).toBe(1);
      expect(source.commits).toEqual([]);
      expect(source.closedWith).toEqual([error]);
    },
  );

  it('[fault 8] an error of ours is passed on as it is, also a frozen one', async () => {
    const run = new ConcurrentPipeline([1], () => {
      throw frozenOurs;
    }).run();
    expect(await time().run(rejection(run))).toBe(frozenOurs);
  });

  it.each(ways)('K1 S1 an open of the sink that %s is followed by its close only', async (way) => {
    const cause = new Error('open');
    const calls: string[] = [];
    const source = new ControlledSource<number>();
    const sink: Sink<number> = {
      name: 'locked',
      open: () => {
        calls.push('open');
        return fail(way, cause);
      },
      write: () => void calls.push('write'),
      flush: () => void calls.push('flush'),
      close: (reason) => void calls.push(`close ${reason instanceof StreamWeldError}`),
    };
    const error = await failureOf(new ConcurrentPipeline(source, sink));
    expect([error.code, error.stage, error.cause]).toEqual(['SW_SINK_FAILED', 'locked', cause]);
    expect(calls).toEqual(['open', 'close true']);
    // It was never opened, so there is nothing to close.
    expect(source.calls).toEqual([]);
  });

  it.each(ways)('S1 an open of the source that %s is followed by its close only', async (way) => {
    const cause = new Error('open');
    const calls: string[] = [];
    const source: Source<number> = {
      name: 'locked',
      open: () => {
        calls.push('open');
        return fail(way, cause);
      },
      pull: () => {
        calls.push('pull');
        return undefined;
      },
      stop: () => void calls.push('stop'),
      commit: () => void calls.push('commit'),
      close: () => void calls.push('close'),
    };
    const sink = new ControlledSink<number>();
    const error = await failureOf(new ConcurrentPipeline(source, sink));
    expect([error.code, error.stage, error.cause]).toEqual(['SW_SOURCE_FAILED', 'locked', cause]);
    expect(calls).toEqual(['open', 'close']);
    expect(sink.calls).toEqual(['open', 'close']);
    expect(sink.closedWith).toEqual([error]);
  });

  it('S1 of two sources the second is not opened when the first cannot be', async () => {
    const second = new ControlledSource<number>();
    const first: Source<number> = { open: () => fail('rejects', 'no'), pull: () => undefined };
    await failureOf(new ConcurrentPipeline(from(first).merge(second), () => {}));
    expect(second.calls).toEqual([]);
  });

  const closers = ['flush', 'sink.close', 'source.close', 'commit'] as const;
  const codes = {
    flush: 'SW_SINK_FAILED',
    'sink.close': 'SW_SINK_FAILED',
    'source.close': 'SW_SOURCE_FAILED',
    commit: 'SW_COMMIT_FAILED',
  };

  /** A source and a sink of which one call fails, and who was closed with what. */
  function failingAt(where: readonly string[], way: (typeof ways)[number], write: () => void = () => {}) {
    const closed: [string, unknown][] = [];
    const thrown = new Map(where.map((place) => [place, new Error(place)]));
    const at = (place: string): Promise<never> | undefined => {
      const cause = thrown.get(place);
      return cause === undefined ? undefined : fail(way, cause);
    };
    const numbers = new CountingSource(10);
    const source: Source<number, number> = {
      name: 'from',
      pull: (demand) => numbers.pull(demand),
      commit: () => at('commit'),
      close: (reason) => {
        closed.push(['source', reason]);
        return at('source.close');
      },
    };
    const sink: Sink<number> = {
      name: 'to',
      write,
      flush: () => at('flush'),
      close: (reason) => {
        closed.push(['sink', reason]);
        return at('sink.close');
      },
    };
    return { pipeline: new ConcurrentPipeline(source, sink), closed, thrown };
  }

  it.each(closers.flatMap((where) => ways.map((way) => ({ where, way }))))(
    'K8 S10 names who failed and closes both once when $where $way at the end',
    async ({ where, way }) => {
      const { pipeline, closed, thrown } = failingAt([where], way);
      const error = await failureOf(pipeline);
      expect([error.code, error.stage, error.cause]).toEqual([
        codes[where],
        where === 'flush' || where === 'sink.close' ? 'to' : 'from',
        thrown.get(where),
      ]);
      expect(error.suppressed).toEqual([]);
      expect(closed.map(([who]) => who)).toEqual(['sink', 'source']);
      // Who is closed after the failure is told of it.
      if (where !== 'source.close') expect(closed[1]).toEqual(['source', error]);
      if (where === 'flush' || where === 'commit') expect(closed[0]).toEqual(['sink', error]);
    },
  );

  it.each(ways)(
    '[fault 15] the first error wins and the later ones are noted in order: each %s',
    async (way) => {
      const cause = new Error('write');
      const { pipeline, closed, thrown } = failingAt(['sink.close', 'source.close'], way, () => {
        throw cause;
      });
      const error = await failureOf(pipeline);
      expect([error.code, error.cause]).toEqual(['SW_SINK_FAILED', cause]);
      expect(error.suppressed).toEqual([
        expect.objectContaining({ code: 'SW_SINK_FAILED', cause: thrown.get('sink.close') }),
        expect.objectContaining({ code: 'SW_SOURCE_FAILED', cause: thrown.get('source.close') }),
      ]);
      expect(closed).toEqual([
        ['sink', error],
        ['source', error],
      ]);
    },
  );

  it('[fault 15] two writes that fail at once make one failure and one that is noted', async () => {
    const sink = new ControlledSink<number>();
    const source = new CountingSource(100);
    const run = rejection(new ConcurrentPipeline(source, sink).bufferSize(9).maxConcurrency(2).run());
    await time().settle();
    expect(sink.writes).toHaveLength(2);
    const [first, second] = [new Error('first'), new Error('second')];
    sink.writes[1]?.fail(first);
    sink.writes[0]?.fail(second);
    const error = (await time().run(run)) as StreamWeldError;
    expect(error.cause).toBe(first);
    expect(error.suppressed).toEqual([expect.objectContaining({ cause: second })]);
    expect(sink.calls.filter((call) => call === 'close')).toHaveLength(1);
  });

  it('[fault 15] a write and the outstanding pull that fail at once are one rejection', async () => {
    const source = new ControlledSource<number>();
    const sink = new ControlledSink<number>();
    const run = rejection(new ConcurrentPipeline(source, sink).run());
    await time().settle();
    source.lastPull.answer([1]);
    await time().settle();
    const causes = [new Error('write'), new Error('pull')];
    sink.writes[0]?.fail(causes[0]);
    source.lastPull.fail(causes[1]);
    const error = (await time().run(run)) as StreamWeldError;
    // S11: what the pull was answered after the run had failed is discarded.
    expect([error.code, error.cause, error.suppressed]).toEqual(['SW_SINK_FAILED', causes[0], []]);
  });

  it.each(['source', 'sink'] as const)('fails when its %s calls fail between two calls', async (who) => {
    const source = new ControlledSource<number>();
    const sink = new ControlledSink<number>();
    const run = rejection(new ConcurrentPipeline(source, sink).run());
    await time().settle();
    const cause = new Error('connection lost');
    (who === 'source' ? source : sink).context?.fail(cause);
    const error = (await time().run(run)) as StreamWeldError;
    expect([error.code, error.cause]).toEqual([
      who === 'source' ? 'SW_SOURCE_FAILED' : 'SW_SINK_FAILED',
      cause,
    ]);
    expect([sink.closedWith, source.closedWith]).toEqual([[error], [error]]);
  });

  it('S3 answers SW_SOURCE_OVERANSWERED to a source that answers more than it was asked for', async () => {
    const written: number[] = [];
    const source: Source<number> = { name: 'eager', pull: (demand) => Array<number>(demand + 1).fill(7) };
    const error = await failureOf(
      new ConcurrentPipeline(source, (batch) => void written.push(...batch)).bufferSize(10),
    );
    expect([error.code, error.stage]).toEqual(['SW_SOURCE_OVERANSWERED', 'eager']);
    expect(error.message).toContain('asked for 5 items and answered 6');
    expect(written).toEqual([]);
  });

  it.each([
    ['an empty array', []],
    ['null', null],
    ['an object without items', {}],
    ['a number', 5],
    ['items that are no array', { items: 'abc', position: 1 }],
  ])('S3 answers SW_SOURCE_UNDERANSWERED to a source that answers %s', async (_, answer) => {
    for (const wrap of [(x: unknown) => x, (x: unknown) => Promise.resolve(x)]) {
      const source: Source<number> = { name: 'idle', pull: () => wrap(answer) as never };
      const error = await failureOf(new ConcurrentPipeline(source, () => {}));
      expect([error.code, error.stage]).toEqual(['SW_SOURCE_UNDERANSWERED', 'idle']);
    }
  });

  it('S3 takes a position without items as done up to there', async () => {
    const commits: unknown[] = [];
    const answers = [{ items: [1], position: 1 }, { items: [], position: 9 }, undefined];
    const source: Source<number, number> = {
      pull: () => answers.shift(),
      commit: (positions) => void commits.push(positions.get('')),
    };
    const report = await time().run(new ConcurrentPipeline(source, () => {}).run());
    expect(report).toMatchObject({ read: 1, written: 1, positions: new Map([['', 9]]) });
    expect(commits).toEqual([9]);
  });
});

describe('ConcurrentPipeline.failFast(false)', () => {
  it('writes what is buffered before it fails with what the source threw', async () => {
    const source = new ControlledSource<number>();
    const sink = new ControlledSink<number>();
    const pipeline = new ConcurrentPipeline(source, sink).failFast(false);
    const run = rejection(pipeline.run());
    await time().settle();
    source.lastPull.answer({ items: [1, 2], position: 2 });
    await time().settle();
    source.lastPull.answer({ items: [3], position: 3 });
    await time().settle();
    const cause = new Error('gone');
    source.lastPull.fail(cause);
    await time().settle();
    expect(pipeline.state).toBe('draining');
    sink.writes[0]?.accept();
    await time().settle();
    sink.writes[1]?.accept();
    const error = (await time().run(run)) as StreamWeldError;
    expect([error.code, error.cause]).toEqual(['SW_SOURCE_FAILED', cause]);
    expect(sink.items).toEqual([1, 2, 3]);
    expect(source.commits).toEqual([new Map([['', 3]])]);
    expect(source.breaches).toEqual([]);
    expect([sink.closedWith.length, source.closedWith.length]).toEqual([1, 1]);
  });

  it('goes on with what is buffered after a write that failed, and positions stay before it', async () => {
    const source = new CountingSource(30);
    const written: number[] = [];
    const pipeline = new ConcurrentPipeline(source, (batch) => {
      if (batch.includes(6)) throw new Error('six');
      written.push(...batch);
    });
    const error = await failureOf(pipeline.bufferSize(6).failFast(false));
    expect(error.code).toBe('SW_SINK_FAILED');
    expect(written).not.toContain(6);
    expect(written.length).toBe(pipeline.report.read - 3);
    expect(source.committed).toBe(6);
    expect(pipeline.report.read).toBeLessThan(30);
  });

  it.each(['rejects later', 'rejects at once'])(
    'ends when what was accepted %s is never durable',
    async (how) => {
      const source = new CountingSource(100);
      const rejects: ((cause: Error) => void)[] = [];
      let written = 0;
      const sink: Sink<number> = {
        write: (batch): Accepted => {
          written += batch.length;
          const durable =
            how === 'rejects at once'
              ? Promise.reject<void>(new Error('upload'))
              : new Promise<void>((_, reject) => rejects.push(reject));
          return { durable };
        },
        flush: async () => {
          await time().sleep(1);
          for (const reject of rejects.splice(0)) time().setTimer(() => reject(new Error('upload')), 1);
        },
      };
      const pipeline = new ConcurrentPipeline(source, sink).bufferSize(10).maxUncommitted(1).failFast(false);
      const error = await failureOf(pipeline);
      expect(error.code).toBe('SW_SINK_FAILED');
      expect(error.cause).toMatchObject({ message: 'upload' });
      expect(written).toBe(pipeline.report.read);
      expect(source.commits).toEqual([]);
    },
  );

  it('[fault 15] ends when the source fails while it drains for an earlier failure', async () => {
    const source = new ControlledSource<number>();
    const sink = new ControlledSink<number>();
    const run = rejection(new ConcurrentPipeline(source, sink).failFast(false).run());
    await time().settle();
    const [first, second] = [new Error('first'), new Error('second')];
    // Asked to stop, it cannot even answer the outstanding pull.
    source.stop = () => source.lastPull.fail(second);
    sink.context?.fail(first);
    const error = (await time().run(run)) as StreamWeldError;
    expect([error.code, error.cause]).toEqual(['SW_SINK_FAILED', first]);
    expect(error.suppressed).toEqual([expect.objectContaining({ code: 'SW_SOURCE_FAILED', cause: second })]);
  });

  it('is overtaken by an abort', async () => {
    const source = new ControlledSource<number>();
    const sink = new ControlledSink<number>();
    const pipeline = new ConcurrentPipeline(source, sink).failFast(false).closeMs(50);
    const run = rejection(pipeline.run());
    await time().settle();
    source.lastPull.answer([1]);
    await time().settle();
    source.lastPull.fail(new Error('gone'));
    await time().settle();
    await time().run(pipeline.abort());
    const error = (await run) as StreamWeldError;
    expect(error.code).toBe('SW_SOURCE_FAILED');
    expect(time().elapsed).toBe(50);
    expect(String(error.suppressed)).toContain("writing to 'controlled sink'");
  });
});

describe('ConcurrentPipeline, when it has ended', () => {
  it('[fault 96] a hundred runs that fail in every way leave nothing behind', async () => {
    const controller = leaks.controller();
    for (let round = 0; round < 100; round++) {
      const source = new ControlledSource<number>();
      const sink = new ControlledSink<number>();
      const run = rejection(new ConcurrentPipeline(source, sink).run({ signal: controller.signal }));
      await time().settle();
      source.lastPull.answer([1]);
      await time().settle();
      if (round % 3 === 0) source.lastPull.fail(new Error('pull'));
      else if (round % 3 === 1) sink.writes[0]?.fail(undefined);
      else sink.context?.fail('lost');
      await time().run(run);
      // What comes late is nobody's.
      if (round % 3 !== 0) source.lastPull.fail(new Error('late'));
      if (round % 3 !== 1) sink.writes[0]?.fail(new Error('late'));
    }
  });
});
