import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { Deferred } from '../../src/deferred.ts';
import { from } from '../../src/flow/flow.ts';
import { toSink } from '../../src/flow/to-sink.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import type { SinkLike } from '../../src/sink.ts';
import { rejection } from '../controlled.ts';
import { useLeakCheck } from '../leak-check.ts';
import { useVirtualClock } from '../clock.ts';
import { upTo } from './instruments.ts';

const time = useVirtualClock();
useLeakCheck(time);

function write(items: readonly number[], sink: SinkLike<number>): Promise<unknown> {
  return time().run(new ConcurrentPipeline(from(items), sink).bufferSize(20).run());
}

describe('toSink', () => {
  it('takes a function of a batch, and names the sink for it', async () => {
    const batches: (readonly number[])[] = [];
    const takeBatch = (batch: readonly number[]): void => void batches.push(batch);
    expect(toSink(takeBatch).name).toBe('takeBatch');
    expect(toSink(() => {}).name).toBe('function');
    await write(upTo(15), takeBatch);
    expect(batches.flat()).toEqual(upTo(15));
  });

  it('ignores what a function answers, beyond a promise', async () => {
    const items: number[] = [];
    await write(upTo(15), (batch: readonly number[]) => items.push(...batch));
    expect(items).toEqual(upTo(15));
  });

  it.each([[undefined], [null], [7], ['out.txt'], [{}], [[]], [Symbol('s')]])('refuses %s', (value) => {
    expect(() => toSink(value as never)).toThrow(expect.objectContaining({ code: 'SW_SINK_INVALID' }));
    expect(() => new ConcurrentPipeline([1], value as never)).toThrow(
      expect.objectContaining({ code: 'SW_SINK_INVALID' }),
    );
  });

  it('hands a Sink on as it is', () => {
    const sink = { write: () => {} };
    expect(toSink(sink)).toBe(sink);
  });
});

describe('A web stream as a sink', () => {
  it('takes every item in order, with backpressure, and is closed', async () => {
    const items: number[] = [];
    let isClosed = false;
    const stream = new WritableStream<number>(
      {
        write: async (item) => {
          await new Promise((resolve) => setImmediate(resolve));
          items.push(item);
        },
        close: () => {
          isClosed = true;
        },
      },
      { highWaterMark: 2 },
    );
    await write(upTo(12), stream);
    expect(items).toEqual(upTo(12));
    expect(isClosed).toBe(true);
    expect(stream.locked).toBe(false);
  });

  it.each([1, 2, 5, 100])(
    'fails the run in the middle of a batch, with a high-water mark of %d',
    async (mark) => {
      const cause = new Error('disk full');
      const stream = new WritableStream<number>(
        {
          write: (item) => {
            if (item === 3) throw cause;
          },
        },
        { highWaterMark: mark },
      );
      expect(await rejection(write(upTo(12), stream))).toMatchObject({ code: 'SW_SINK_FAILED', cause });
    },
  );

  it('is aborted with the reason when the run fails', async () => {
    const aborts: unknown[] = [];
    const stream = new WritableStream<number>({ abort: (reason) => void aborts.push(reason) });
    const failing = from([1, 2]).tap((n) => {
      if (n === 2) throw new Error('no 2');
    });
    const error = await rejection(time().run(new ConcurrentPipeline(failing, stream).run()));
    expect(aborts).toEqual([error]);
  });
});

/** A stream of Node that writes as it is told. */
class Tap extends Writable {
  readonly taken: number[] = [];
  inBuffer = 0;
  readonly #write: (item: number, done: (error?: Error) => void) => void;

  constructor(write: (item: number, done: (error?: Error) => void) => void, highWaterMark = 4) {
    super({ objectMode: true, highWaterMark });
    this.#write = write;
  }

  override _write(item: number, _: BufferEncoding, done: (error?: Error) => void): void {
    this.inBuffer = Math.max(this.inBuffer, this.writableLength);
    this.taken.push(item);
    this.#write(item, done);
  }
}

describe('A Node stream as a sink', () => {
  it('takes every item in order, no more than it has room for, and is ended', async () => {
    const stream = new Tap((_, done) => setImmediate(done));
    await write(upTo(40), stream);
    expect(stream.taken).toEqual(upTo(40));
    expect(stream.inBuffer).toBeLessThanOrEqual(4);
    expect(stream.writableFinished).toBe(true);
  });

  it('fails the run with its own error, in the middle', async () => {
    const cause = new Error('disk full');
    const stream = new Tap((item, done) => setImmediate(() => (item === 7 ? done(cause) : done())));
    expect(await rejection(write(upTo(100), stream))).toMatchObject({ code: 'SW_SINK_FAILED', cause });
    expect(stream.destroyed).toBe(true);
  });

  it('fails the run where it is destroyed in the middle', async () => {
    const stream = new Tap((item, done) => setImmediate(() => (item === 7 ? stream.destroy() : done())));
    expect(await rejection(write(upTo(100), stream))).toMatchObject({ code: 'SW_SINK_FAILED' });
  });

  it('does not wait for a chunk that a destroyed stream never takes', async () => {
    // Every item is a batch, so the write waits for its chunk and for nothing else.
    const stream = new Tap((item, done) => (item === 7 ? setImmediate(() => stream.destroy()) : done()));
    const error = await rejection(
      time().run(new ConcurrentPipeline(from(upTo(100)), stream).bufferSize(1).run()),
    );
    expect(error).toMatchObject({ code: 'SW_SINK_FAILED', suppressed: [] });
    expect(time().elapsed).toBe(0);
  });

  it('fails the run where ending it fails', async () => {
    const cause = new Error('cannot finish');
    const stream = new Writable({
      objectMode: true,
      write: (_, __, done) => done(),
      final: (done) => done(cause),
    });
    expect(await rejection(write([1], stream))).toMatchObject({ cause });
  });

  it('is destroyed when the run fails elsewhere', async () => {
    const stream = new Tap((_, done) => done());
    const failing = from([1, 2]).tap((n) => {
      if (n === 2) throw new Error('no 2');
    });
    await rejection(time().run(new ConcurrentPipeline(failing, stream).run()));
    expect(stream.destroyed).toBe(true);
    expect(stream.writableEnded).toBe(false);
  });

  it.each(['well', 'badly'])(
    'stays open where it is the output of the process, and the run ends %s',
    async (how) => {
      const stream = new Tap((_, done) => done());
      const before = stream.eventNames().map((name) => [name, stream.listenerCount(name)]);
      Object.assign(stream, { _isStdio: true });
      const flow = from([1, 2, 3]).tap((n) => {
        if (how === 'badly' && n === 3) throw new Error('no 3');
      });
      await time().run(new ConcurrentPipeline(flow, stream).run().catch(() => {}));
      expect(stream.destroyed || stream.writableEnded).toBe(false);
      expect(stream.eventNames().map((name) => [name, stream.listenerCount(name)])).toEqual(before);
    },
  );
});

describe('A Node Writable that is over', () => {
  const discard = (_chunk: unknown, _encoding: string, taken: () => void): void => taken();

  it.each([
    ['was destroyed', (stream: Writable) => stream.destroy()],
    ['was ended', (stream: Writable) => stream.end()],
  ])('fails the run at once when it %s before', async (_, finish) => {
    const stream = new Writable({ objectMode: true, write: discard });
    finish(stream);
    await new Promise((resolve) => stream.once('close', resolve));
    const error = await rejection(new ConcurrentPipeline(upTo(50), stream).run());
    expect(error).toMatchObject({ code: 'SW_SINK_FAILED' });
  });

  it('fails the run when it is destroyed while it takes its end', async () => {
    const stream = new Writable({
      objectMode: true,
      write: discard,
      final() {
        this.destroy();
      },
    });
    const error = await rejection(new ConcurrentPipeline(upTo(50), stream).run());
    expect(error).toMatchObject({ code: 'SW_SINK_FAILED' });
  });
});

describe('A stream that hangs', () => {
  type Taking = (item: number) => Promise<void>;
  const streams: Record<string, (take: Taking) => SinkLike<number>> = {
    'a web stream': (take) => new WritableStream<number>({ write: take }),
    'a Node stream': (take) =>
      new Writable({
        objectMode: true,
        highWaterMark: 1,
        write: (item: number, _encoding, done) => void take(item).then(() => done(), done),
      }),
  };

  for (const [name, create] of Object.entries(streams)) {
    it(`K17 holds no write that was called off, and takes no more of it later: ${name}`, async () => {
      const taken: number[] = [];
      const begun = new Deferred();
      const hung = new Deferred();
      const sink = toSink(
        create(async (item) => {
          begun.resolve();
          await hung.promise;
          taken.push(item);
        }),
      );
      const run = new AbortController();
      const fail = (error: unknown): never => {
        throw error;
      };
      await sink.open?.({ signal: run.signal, fail });
      const controller = new AbortController();
      const context = { attempt: 1, defer: () => fail(new Error('not deferred')) };
      const written = sink.write([1, 2, 3], { ...context, signal: controller.signal });
      await begun.promise;
      const reason = new Error('The write took too long.');
      controller.abort(reason);
      await expect(written).rejects.toBe(reason);
      const next = sink.write([4], { ...context, signal: run.signal });
      hung.resolve();
      await next;
      await sink.close?.();
      expect(taken).toEqual([1, 4]);
    });
  }
});
