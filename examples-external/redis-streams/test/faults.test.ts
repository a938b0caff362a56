/** What only Redis does: streams that are trimmed, flushed or made anew, refusals, a server that is killed. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConcurrentPipeline, MemoryCheckpointStore } from '@streamweld/core';
import type { SourceContext } from '@streamweld/core/connector';
import { openFaultProxy } from '@streamweld/testing';
import { type RedisPosition, RedisStreamSink, RedisStreamSource } from '../src/index.ts';
import { freshStream, type Numbered, numbered, readBack, seed, startService } from './service.ts';

const service = await startService();
const connection = service.url;

/** Opens a source of the stream as a run would. */
async function opened(
  options: ConstructorParameters<typeof RedisStreamSource>[0],
  position?: RedisPosition,
): Promise<RedisStreamSource> {
  const source = new RedisStreamSource(options);
  const context: SourceContext<RedisPosition> = {
    positions: new Map(position === undefined ? [] : [['', position]]),
    signal: new AbortController().signal,
    settled: () => Promise.resolve(),
    endLane: () => {},
    fail: () => {},
  };
  await source.open(context);
  return source;
}

/** Reads so many entries and closes. @returns the position behind them. */
async function readSome(stream: string, count: number): Promise<RedisPosition> {
  const source = await opened({ connection, stream });
  const answer = await source.pull(count);
  source.close();
  assert.equal(answer?.items.length, count);
  return answer.position;
}

const codeOf = (code: string, words: RegExp) => (error: unknown) => {
  const { code: own, message } = error as { code?: string; message: string };
  assert.equal(own, code);
  assert.match(message, words);
  return true;
};

/** Opens there and pulls; whichever of them fails. */
async function resume(stream: string, position: RedisPosition, more: object = {}): Promise<number> {
  const source = await opened({ connection, stream, ...more }, position);
  try {
    return (await source.pull(100))?.items.length ?? 0;
  } finally {
    source.close();
  }
}

test('says how many entries were trimmed before they were read', async () => {
  const stream = freshStream();
  await seed(service, stream, 0, 10);
  const position = await readSome(stream, 3);
  await service.command('XTRIM', stream, 'MAXLEN', '5');
  await assert.rejects(resume(stream, position), codeOf('REDIS_STREAM_TRIMMED', /^2 entries .* whenTrimmed/));
  assert.equal(await resume(stream, position, { whenTrimmed: 'goOn' }), 5);
});

test('goes on where just what was read has been trimmed, also to nothing', async () => {
  const stream = freshStream();
  await seed(service, stream, 0, 10);
  const position = await readSome(stream, 3);
  await service.command('XTRIM', stream, 'MAXLEN', '7');
  assert.equal(await resume(stream, position), 7);
  const last = await readSome(stream, 7);
  await service.command('XTRIM', stream, 'MAXLEN', '0');
  assert.equal(await resume(stream, last), 0);
  await seed(service, stream, 10, 12);
  assert.equal(await resume(stream, last), 2);
  await service.command('XTRIM', stream, 'MAXLEN', '0');
  await assert.rejects(resume(stream, last), codeOf('REDIS_STREAM_TRIMMED', /^2 entries/));
});

test('says so where a stream is trimmed while it is read', async () => {
  const stream = freshStream();
  await seed(service, stream, 0, 10);
  const source = await opened({ connection, stream, follow: true });
  assert.equal((await source.pull(4))?.items.length, 4);
  await service.command('XTRIM', stream, 'MAXLEN', '2');
  await assert.rejects(source.pull(4), codeOf('REDIS_STREAM_TRIMMED', /^4 entries/));
  source.close();
});

test('refuses to guess where entries were removed in the middle', async () => {
  const stream = freshStream();
  await seed(service, stream, 0, 6);
  const position = await readSome(stream, 2);
  const ids = (await service.command('XRANGE', stream, '-', '+')) as [string][];
  // While the entry at the position is there, a hole behind it is what the stream is now.
  await service.command('XDEL', stream, ids[4]?.[0] as string);
  assert.equal(await resume(stream, position), 3);
  await service.command('XTRIM', stream, 'MAXLEN', '3');
  await assert.rejects(resume(stream, position), codeOf('REDIS_STREAM_TRIMMED', /cannot be told/));
});

test('says that a stream was deleted, flushed or made anew', async () => {
  const stream = freshStream();
  await seed(service, stream, 0, 5);
  const position = await readSome(stream, 3);
  const source = await opened({ connection, stream, follow: true }, position);
  assert.equal((await source.pull(10))?.items.length, 2);
  await service.command('FLUSHALL');
  await assert.rejects(
    resume(stream, position),
    codeOf('REDIS_STREAM_GONE', /another name for the checkpoint/),
  );
  await seed(service, stream, 0, 2);
  await assert.rejects(source.pull(10), codeOf('REDIS_STREAM_GONE', /made anew/));
  source.close();
});

test('follows from before the stream is there, and through a server that is killed', async (t) => {
  if (!service.isOwn) return t.skip('REDIS_URL is not ours to kill');
  const stream = freshStream();
  const source = await opened({ connection, stream, follow: true });
  const first = source.pull(10);
  await seed(service, stream, 0, 1);
  assert.deepEqual(
    (await first)?.items.map(({ fields }) => fields['n']),
    ['0'],
  );
  const second = source.pull(10);
  await service.kill();
  await service.restart();
  await seed(service, stream, 1, 2);
  assert.deepEqual(
    (await second)?.items.map(({ fields }) => fields['n']),
    ['1'],
  );
  source.close();
});

test('fails when the server is away for longer than reconnectMs', async (t) => {
  if (!service.isOwn) return t.skip('REDIS_URL is not ours to kill');
  const stream = freshStream();
  const source = await opened({ connection, stream, follow: true, reconnectMs: 200 });
  await service.kill();
  await assert.rejects(source.pull(1), codeOf('REDIS_UNREACHABLE', /nothing listens there/));
  source.close();
  await service.restart();
});

test('names the entries that were refused for memory, and writes them when there is some', async () => {
  const stream = freshStream();
  await seed(service, stream, 0, 1);
  const run = async () => {
    const sink = new RedisStreamSink<Numbered>({ connection, stream });
    const failures: { code?: string; failed?: readonly number[]; retryable?: boolean; message: string }[] =
      [];
    const { write } = sink;
    sink.write = async (batch, context) => {
      try {
        await write.call(sink, batch, context);
      } catch (error) {
        failures.push(error as (typeof failures)[number]);
        await service.command('CONFIG', 'SET', 'maxmemory', '0');
        throw error;
      }
    };
    await service.command('CONFIG', 'SET', 'maxmemory', '1');
    const pipeline = new ConcurrentPipeline([numbered(1), numbered(2)], sink).retry({ attempts: 3 });
    await pipeline.run();
    return failures;
  };
  const [failure] = await run();
  assert.equal(failure?.code, 'SW_SINK_FAILED');
  assert.deepEqual(failure.failed, [0, 1]);
  assert.equal(failure.retryable, true);
  assert.match(failure.message, /2 of 2 entries were not added: .*maxmemory/);
  assert.equal((await readBack(service, stream)).length, 3);
});

test('fails, and blames no item, where the key is something else', async () => {
  const stream = freshStream();
  await service.command('SET', stream, 'a text');
  for (const run of [
    new ConcurrentPipeline([numbered(1)], new RedisStreamSink<Numbered>({ connection, stream })),
    new ConcurrentPipeline(new RedisStreamSource({ connection, stream }), () => {}),
  ]) {
    await assert.rejects(run.run(), codeOf('REDIS_KEY_WRONG', /holds something else/));
  }
});

test('fails at once, and blames no item, where the key becomes something else during the run', async () => {
  const stream = freshStream();
  const letters: unknown[] = [];
  async function* items() {
    yield numbered(1);
    await service.command('SET', stream, 'a text');
    yield numbered(2);
  }
  const run = new ConcurrentPipeline(items(), new RedisStreamSink<Numbered>({ connection, stream }))
    .retry({ attempts: 100 })
    .deadLetter((batch) => void letters.push(...batch))
    .run();
  await assert.rejects(run, codeOf('REDIS_KEY_WRONG', /holds something else/));
  assert.deepEqual(letters, []);
});

test('fences a run whose name another one has taken over', async () => {
  const [from, to] = [freshStream(), freshStream()];
  await seed(service, from, 0, 2);
  const sink = () =>
    new RedisStreamSink<{ fields: Numbered }>({
      connection,
      stream: to,
      fields: (entry) => ({ ...entry.fields }),
    });
  const context = (checkpoint: string) => ({
    signal: new AbortController().signal,
    checkpoint,
    fail: () => {},
  });
  const write = {
    signal: new AbortController().signal,
    attempt: 1,
    positions: new Map([['', { id: '1-0', index: 1 }]]),
    defer: () => assert.fail(),
  };
  const [early, late] = [sink(), sink()];
  await early.open(context('copy'));
  await early.positions();
  await late.open(context('copy'));
  await late.positions();
  await assert.rejects(
    early.write([{ fields: numbered(1) }], write),
    codeOf('SW_CHECKPOINT_FENCED', /"copy"/),
  );
  await late.write([{ fields: numbered(1) }], write);
  early.close();
  late.close();
  assert.equal((await readBack(service, to)).length, 1);
});

test('leaves no gap behind writes that the server has lost', async () => {
  const [from, to] = [freshStream(), freshStream()];
  const items = await seed(service, from, 0, 10);
  const copy = (isLost: boolean) => {
    const sink = new RedisStreamSink<{ fields: object }>({
      connection,
      stream: to,
      fields: (entry) => ({ ...entry.fields }) as Record<string, string>,
      batching: { maxItems: 1 },
    });
    const { write } = sink;
    let writes = 0;
    sink.write = async (batch, context) => {
      writes += 1;
      // As after a crash that lost the last second: entries and positions go back together.
      if (isLost && writes === 5) await service.command('DEL', to, `{${to}}:streamweld:copy`);
      await write.call(sink, batch, context);
    };
    return new ConcurrentPipeline(new RedisStreamSource({ connection, stream: from }), sink)
      .bufferSize(4)
      .retry({ attempts: 100 })
      .checkpoint(new MemoryCheckpointStore(), 'copy')
      .run();
  };
  await assert.rejects(copy(true), codeOf('REDIS_WRITES_LOST', /Run again/));
  assert.deepEqual(await readBack(service, to), []);
  await copy(false);
  assert.deepEqual(await readBack(service, to), items);
});

test('knows a write again whose answer was lost, where positions are kept', async () => {
  const [from, to] = [freshStream(), freshStream()];
  const items = await seed(service, from, 0, 10);
  const proxy = await openFaultProxy({ target: { port: service.port } });
  const via = connection.replace(`:${service.port}`, `:${proxy.port}`);
  proxy.dropReply((request) => Buffer.from(request).includes('EVAL'));
  const report = await new ConcurrentPipeline(
    new RedisStreamSource({ connection, stream: from }),
    new RedisStreamSink<{ fields: Record<string, string> }>({
      connection: via,
      stream: to,
      fields: ({ fields }) => fields,
    }),
  )
    .retry({ attempts: 3, backoff: { firstMs: 1 } })
    .checkpoint(new MemoryCheckpointStore(), 'copy')
    .run();
  await proxy.close();
  assert.deepEqual([proxy.counts.repliesDropped, report.retried], [1, 1]);
  assert.deepEqual(await readBack(service, to), items);
});

test('has no password in an error, wherever it stands', async () => {
  const secret = 'h1dden-p4ssword';
  for (const wrong of [
    { connection: `http://:${secret}@localhost`, stream: 's' },
    { connection: { password: secret, port: 0 }, stream: 's' },
    { connection: { passwort: secret } as object, stream: 's' },
    { connection: secret, client: secret as never, stream: 's' },
  ]) {
    assert.throws(
      () => new RedisStreamSource(wrong),
      (error: Error) => !error.message.includes(secret),
    );
  }
  const denied = new RedisStreamSource({ connection: { port: service.port, password: secret }, stream: 's' });
  await assert.rejects(
    new ConcurrentPipeline(denied, () => {}).run(),
    codeOf('REDIS_DENIED', /user or the password is wrong/),
  );
});
