import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { collect } from '../../src/builtin/sinks.ts';
import { from } from '../../src/flow/flow.ts';
import { toSource } from '../../src/flow/to-source.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import { rejection } from '../controlled.ts';
import { useLeakCheck } from '../leak-check.ts';
import { iterate, pipe, settle, upTo } from './instruments.ts';

useLeakCheck();

/** Counts up without end, and tells when it is closed. */
function counting(): { readonly items: Generator<number>; readonly closes: () => number } {
  let closes = 0;
  const items = (function* () {
    try {
      for (let n = 0; ; n++) yield n;
    } finally {
      closes += 1;
    }
  })();
  return { items, closes: () => closes };
}

describe('toSource', () => {
  it.each([
    ['an array', () => [1, 2, 3]],
    ['a set', () => new Set([1, 2, 3])],
    ['a typed array', () => new Uint8Array([1, 2, 3])],
    [
      'an iterator of a map',
      () =>
        new Map([
          [1, 'a'],
          [2, 'b'],
          [3, 'c'],
        ]).keys(),
    ],
    [
      'a generator',
      function* () {
        yield* [1, 2, 3];
      },
    ],
    [
      'an async generator',
      async function* () {
        yield* [1, 2, 3];
      },
    ],
    [
      'a web stream',
      () => new ReadableStream<number>({ start: (c) => ([1, 2, 3].forEach((n) => c.enqueue(n)), c.close()) }),
    ],
    ['a Node stream', () => Readable.from([1, 2, 3])],
  ])('takes %s', async (_, make) => {
    expect(await pipe(from<number>(make()))).toEqual([1, 2, 3]);
    expect(await iterate(from<number>(make()))).toEqual([1, 2, 3]);
    expect(await pipe(from<number>(make()), { bufferSize: 1 })).toEqual([1, 2, 3]);
    expect(await pipe(from<number>(make()).take(2))).toEqual([1, 2]);
  });

  it('takes a string by its characters', async () => {
    expect(await pipe(from('añ😀'))).toEqual(['a', 'ñ', '😀']);
  });

  it.each([[undefined], [null], [7], [true], [{}], [Symbol('s')], [() => [1]]])('refuses %s', (value) => {
    expect(() => toSource(value as never)).toThrow(expect.objectContaining({ code: 'SW_SOURCE_INVALID' }));
    expect(() => from(value as never)).toThrow(expect.objectContaining({ code: 'SW_SOURCE_INVALID' }));
  });

  it('hands a Source on as it is', () => {
    const source = { pull: () => undefined };
    expect(toSource(source)).toBe(source);
  });
});

describe('A generator as a source', () => {
  it('is closed when it is not read to its end', async () => {
    const taken = counting();
    await pipe(from(taken.items).take(3));
    expect(taken.closes()).toBe(1);
    const left = counting();
    for await (const n of from(left.items)) if (n === 20) break;
    expect(left.closes()).toBe(1);
    const failed = counting();
    const run = pipe(
      from(failed.items).map((n) => {
        if (n === 5) throw new Error('no 5');
        return n;
      }),
    );
    await rejection(run);
    expect(failed.closes()).toBe(1);
  });

  it('is not closed again when it ended by itself', async () => {
    let returned = 0;
    const iterable = {
      [Symbol.iterator]: () => {
        let n = 0;
        return {
          next: () => (n < 3 ? { done: false, value: n++ } : { done: true, value: undefined }),
          return: () => {
            returned += 1;
            return { done: true, value: undefined };
          },
        };
      },
    } as Iterable<number>;
    expect(await pipe(from(iterable))).toEqual([0, 1, 2]);
    expect(returned).toBe(0);
  });

  it('hands on what came before it throws', async () => {
    const cause = new Error('half way');
    const sink = collect<number>();
    const items = function* (): Generator<number> {
      yield* [1, 2];
      throw cause;
    };
    const run = new ConcurrentPipeline(items(), sink).failFast(false).run();
    await expect(run).rejects.toMatchObject({ code: 'SW_SOURCE_FAILED', cause });
    expect(sink.items).toEqual([1, 2]);
    const seen: number[] = [];
    const loop = (async () => {
      for await (const n of from(items())) seen.push(n);
    })();
    await expect(loop).rejects.toMatchObject({ code: 'SW_SOURCE_FAILED', cause });
    expect(seen).toEqual([1, 2]);
  });

  it('fails the run with what it throws', async () => {
    const cause = new Error('half way');
    const run = pipe(
      from(
        (function* () {
          yield 1;
          throw cause;
        })(),
      ),
    );
    await expect(run).rejects.toMatchObject({ code: 'SW_SOURCE_FAILED', stage: 'iterable', cause });
  });
});

describe('An async iterable as a source', () => {
  it('is gathered into large batches where it is fast', async () => {
    const sizes: number[] = [];
    await new ConcurrentPipeline(
      (async function* () {
        yield* upTo(4000);
      })(),
      (batch) => void sizes.push(batch.length),
    ).run();
    expect(sizes.reduce((a, b) => a + b)).toBe(4000);
    expect(sizes.length).toBeLessThan(100);
  });

  it('is not held back where it is slow', async () => {
    let give: (n: number) => void = () => {};
    const sink = collect<number>();
    const pipeline = new ConcurrentPipeline(
      (async function* () {
        for (let i = 0; i < 3; i++) yield await new Promise<number>((resolve) => (give = resolve));
      })(),
      sink,
    );
    const run = pipeline.run();
    for (const n of [1, 2, 3]) {
      await settle();
      give(n);
      await settle();
      expect(sink.items.at(-1)).toBe(n);
    }
    await run;
    expect(sink.items).toEqual([1, 2, 3]);
  });

  it('hands on what came before it fails', async () => {
    const cause = new Error('half way');
    const sink = collect<number>();
    const run = new ConcurrentPipeline(
      (async function* () {
        yield 1;
        throw cause;
      })(),
      sink,
    )
      .failFast(false)
      .run();
    await expect(run).rejects.toMatchObject({ code: 'SW_SOURCE_FAILED', cause });
    expect(sink.items).toEqual([1]);
  });

  it.each(['a drain', 'a take', 'a failure', 'leaving the loop'])('is closed once after %s', async (how) => {
    let closed = 0;
    const items = (async function* () {
      try {
        for (let n = 0; ; n++) {
          if (n % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
          yield n;
        }
      } finally {
        closed += 1;
      }
    })();
    if (how === 'a drain') {
      const pipeline = new ConcurrentPipeline(items, collect());
      const run = pipeline.run();
      await settle();
      await pipeline.drain();
      expect((await run).outcome).toBe('drained');
    } else if (how === 'a take') {
      await pipe(from(items).take(3));
    } else if (how === 'a failure') {
      await rejection(
        pipe(
          from(items).tap((n) => {
            if (n === 3) throw new Error('no 3');
          }),
        ),
      );
    } else {
      for await (const n of from(items)) if (n === 3) break;
    }
    expect(closed).toBe(1);
  });
});

describe('A web stream as a source', () => {
  it('is cancelled when it is not read to its end', async () => {
    const cancels: unknown[] = [];
    let n = 0;
    const stream = new ReadableStream<number>({
      pull: (controller) => controller.enqueue(n++),
      cancel: (reason) => void cancels.push(reason),
    });
    expect(await pipe(from<number>(stream).take(3))).toEqual([0, 1, 2]);
    expect(cancels).toEqual([undefined]);
    expect(stream.locked).toBe(false);
  });

  it('is cancelled when the run is drained while nothing is read', async () => {
    let cancelled = 0;
    let n = 0;
    const stream = new ReadableStream<number>({
      pull: (controller) => controller.enqueue(n++),
      cancel: () => void (cancelled += 1),
    });
    let go: () => void = () => {};
    const pipeline = new ConcurrentPipeline(from<number>(stream), {
      write: () => new Promise<void>((resolve) => (go = resolve)),
    }).bufferSize(4);
    const run = pipeline.run();
    await settle();
    void pipeline.drain();
    while (pipeline.state !== 'done') {
      go();
      await settle();
    }
    await run;
    expect(cancelled).toBe(1);
  });

  it('fails the run with its own error', async () => {
    const cause = new Error('half way');
    const stream = new ReadableStream<number>({
      pull: (controller) => {
        controller.error(cause);
      },
    });
    await expect(pipe(from<number>(stream))).rejects.toMatchObject({ stage: 'readable stream', cause });
  });
});

describe('A Node stream as a source', () => {
  it('hands on objects in order, however they come', async () => {
    const slow = Readable.from(
      (async function* () {
        for (const n of upTo(50)) {
          if (n % 7 === 0) await new Promise((resolve) => setImmediate(resolve));
          yield { n };
        }
      })(),
    );
    const items = await pipe(from<{ n: number }>(slow), { bufferSize: 10 });
    expect(items.map(({ n }) => n)).toEqual(upTo(50));
  });

  it('fails the run with its own error, in the middle', async () => {
    const cause = new Error('half way');
    const stream = Readable.from(
      (async function* () {
        yield 1;
        throw cause;
      })(),
    );
    await expect(pipe(from<number>(stream))).rejects.toMatchObject({
      code: 'SW_SOURCE_FAILED',
      stage: 'readable',
      cause,
    });
  });

  it('fails the run where it is destroyed in the middle, for that is no end', async () => {
    const stream = new Readable({ objectMode: true, read: () => {} });
    stream.push(1);
    const sink = collect<number>();
    const run = new ConcurrentPipeline(from<number>(stream), sink).run();
    run.catch(() => {});
    await settle();
    stream.destroy();
    await settle();
    await expect(run).rejects.toMatchObject({ code: 'SW_SOURCE_FAILED', stage: 'readable' });
    expect(sink.items).toEqual([1]);
  });

  it('does not wait for a stream that was over before the run', async () => {
    const ended = Readable.from([]);
    await ended.toArray();
    expect(await pipe(from<number>(ended))).toEqual([]);
    const destroyed = Readable.from([1, 2]);
    destroyed.destroy();
    await settle();
    await expect(pipe(from<number>(destroyed))).rejects.toMatchObject({ code: 'SW_SOURCE_FAILED' });
    const cause = new Error('before');
    const broken = new Readable({ read: () => {} });
    broken.on('error', () => {});
    broken.destroy(cause);
    await settle();
    await expect(pipe(from<number>(broken))).rejects.toMatchObject({ code: 'SW_SOURCE_FAILED', cause });
  });

  it.each(['a drain', 'a take', 'a failure'])('is destroyed after %s', async (how) => {
    let n = 0;
    const stream = new Readable({
      objectMode: true,
      read() {
        this.push(n++);
      },
    });
    if (how === 'a take') await pipe(from<number>(stream).take(3));
    else if (how === 'a failure')
      await rejection(
        pipe(
          from<number>(stream).tap(() => {
            throw new Error('no');
          }),
        ),
      );
    else {
      const pipeline = new ConcurrentPipeline(from<number>(stream), collect());
      const run = pipeline.run();
      await settle();
      await pipeline.drain();
      await run;
    }
    expect(stream.destroyed).toBe(true);
  });
});

describe('from', () => {
  it('runs a flow over what gives its items anew as often as one likes', async () => {
    for (const flow of [from([1, 2]), from(new Set([1, 2])), from<number>(new Uint8Array([1, 2]))]) {
      expect(await iterate(flow)).toEqual([1, 2]);
      expect(await pipe(flow)).toEqual([1, 2]);
    }
  });

  it.each([
    ['a generator', () => counting().items],
    ['a web stream', () => new ReadableStream<number>({ start: (c) => c.enqueue(1) })],
    ['a Node stream', () => Readable.from([1])],
  ])('does not read %s twice', async (_, make) => {
    const flow = from<number>(make()).take(1);
    await iterate(flow);
    expect(await rejection(iterate(flow))).toMatchObject({ code: 'SW_FLOW_USED' });
  });

  it('hands a flow on as it is', () => {
    const flow = from([1]);
    expect(from(flow)).toBe(flow);
  });
});
