import {
  ConcurrentPipeline,
  DispatchedPipelineBuilder,
  from,
  collect,
  count,
  range,
  generate,
  Channel,
} from '@streamweld/core';
import { Writable, Readable } from 'node:stream';
process.on('unhandledRejection', (e) => console.log('   !! UNHANDLED', String(e)));
const sleep = (ms: number) => new Promise<void>((r) => setTimeout(r, ms));
async function t(name: string, f: () => Promise<unknown>, ms = 4000) {
  const r = await Promise.race([
    f().then(
      (v) => ['ok', v],
      (e) => [
        'REJ',
        e?.code ?? String(e),
        e?.message?.slice?.(0, 200),
        e?.suppressed?.map?.((x: any) => x?.message),
      ],
    ),
    sleep(ms).then(() => ['HANG']),
  ]);
  console.log(name, '=>', ...(r as any));
  await sleep(20);
}
const B = <T>(o?: any) => new DispatchedPipelineBuilder<T>({ logger: null, ...o });
function psource(n: number, per = 10, commits: any[] = [], log: any = {}) {
  let at = 0;
  return {
    name: 'ps',
    pull(d: number) {
      if (at >= n) return undefined;
      const k = Math.min(d, per, n - at);
      const items = Array.from({ length: k }, (_, i) => at + i);
      at += k;
      return { items, position: at };
    },
    commit(p: any) {
      commits.push(p.get(''));
    },
    close(r: any) {
      log.closed = r ?? 'good';
    },
  };
}

await t('maxUncommitted behind dispatcher', async () => {
  const commits: any[] = [];
  let flushes = 0,
    pend: (() => void)[] = [],
    maxPend = 0,
    n = 0;
  const sink = {
    write(b: readonly number[]) {
      n += b.length;
      maxPend = Math.max(maxPend, n);
      return { durable: new Promise<void>((r) => pend.push(r)) };
    },
    flush() {
      flushes++;
      n = 0;
      pend.forEach((r) => r());
      pend = [];
    },
  };
  const d = B<number>().broadcast();
  await d.subscribeSink(sink);
  await new ConcurrentPipeline(psource(10000, 10, commits) as any, d.createSink(10))
    .bufferSize(100)
    .maxUncommitted(100)
    .commitEvery({ items: 100 })
    .run();
  return { flushes, maxPend, commits: commits.length };
});
await t('fail in open with detach', async () => {
  const d = B<number>().broadcast();
  const c = count();
  await d.subscribeSink(c);
  let r: any;
  try {
    r = await d.subscribeSink(
      {
        open(x: any) {
          x.fail(new Error('x'));
        },
        write() {},
        close(e: any) {
          console.log('   closed with', String(e));
        },
      },
      undefined,
      { onError: 'detach', name: 'bad' },
    );
  } catch (e: any) {
    console.log('  sub rej', e.code);
  }
  console.log('  state', r?.status.state);
  await new ConcurrentPipeline(range(0, 5000), d.createSink()).run();
  return [c.count, d.sinks().map((s) => [s.name, s.state])];
});
await t('A.write fails B sync', async () => {
  const d = B<number>().broadcast();
  let bctx: any;
  let done = false;
  const commits: any[] = [];
  await d.subscribeSink({
    write() {
      if (!done) {
        done = true;
        bctx.fail(new Error('b'));
      }
    },
  });
  await d.subscribeSink(
    {
      open(c: any) {
        bctx = c;
      },
      write() {},
    },
    undefined,
    { onError: 'detach', name: 'B' },
  );
  await new ConcurrentPipeline(psource(100, 10, commits) as any, d.createSink(10)).run();
  return [commits.at(-1), d.sinks().map((s) => [s.name, s.state, s.delivered, s.failed])];
});
await t('detach with pending durable', async () => {
  const d = B<number>().broadcast();
  let k = 0;
  const commits: any[] = [];
  await d.subscribeSink(count());
  await d.subscribeSink(
    {
      write() {
        if (++k === 3) throw new Error('b');
        return { durable: new Promise<void>(() => {}) };
      },
    },
    undefined,
    { onError: 'detach', name: 'B' },
  );
  await new ConcurrentPipeline(psource(100, 10, commits) as any, d.createSink(10)).run();
  return [commits.at(-1), d.sinks().map((s) => [s.name, s.state, s.delivered, s.failed])];
});
await t('second unsubscribe resolves early', async () => {
  const d = B<number>().broadcast();
  let closed = false;
  await d.subscribeSink(count());
  const s = await d.subscribeSink({
    async write() {
      await sleep(200);
    },
    close() {
      closed = true;
    },
  });
  const run = new ConcurrentPipeline(range(0, 10), d.createSink(10)).run();
  await sleep(10);
  const u1 = s.unsubscribe();
  await s.unsubscribe();
  const at2 = closed;
  await u1;
  await run;
  return { closedAtSecond: at2 };
});
await t('signal aborted before run: dispatcher sinks closed?', async () => {
  const d = B<number>().broadcast();
  let closed = false;
  await d.subscribeSink({
    write() {},
    close() {
      closed = true;
    },
  });
  const e = await new ConcurrentPipeline(range(0, 10), d.createSink(10))
    .run({ signal: AbortSignal.abort(new Error('no')) })
    .catch((e) => e);
  return { e: String(e), closed, st: d.snapshot().state };
});
await t('onUnknown sink bound', async () => {
  let seen = 0;
  const d = B<number>({ bufferSize: 10 }).partition(['a'], () => 'z' as any, {
    onUnknown: {
      name: 'unk',
      async write(b) {
        await sleep(1);
        seen += b.length;
      },
    },
  });
  await d.subscribeSink(count(), 'a');
  await new ConcurrentPipeline(range(0, 3000), d.createSink(500)).bufferSize(3000).run();
  return [seen, d.sinks().map((s) => [s.name, s.highWaterMark, s.bufferSize])];
});
await t('onUnknown invalid', async () => {
  B<number>().partition(['a'], () => 'a', { onUnknown: 42 as any });
  return 'accepted';
});
await t('onUnknown null', async () => {
  B<number>().partition(['a'], () => 'a', { onUnknown: null as any });
  return 'accepted';
});
await t('Node writable destroyed before', async () => {
  const w = new Writable({
    objectMode: true,
    write(c, e, cb) {
      cb();
    },
  });
  w.on('error', () => {});
  w.destroy();
  await sleep(5);
  return new ConcurrentPipeline(range(0, 10), w as any).run();
});
await t('Node writable ended before', async () => {
  const w = new Writable({
    objectMode: true,
    write(c, e, cb) {
      cb();
    },
  });
  w.end();
  await sleep(5);
  return new ConcurrentPipeline(range(0, 10), w as any).run();
});
await t('Node writable errors mid', async () => {
  let n = 0;
  const w = new Writable({
    objectMode: true,
    write(c, e, cb) {
      setImmediate(() => cb(++n === 20 ? new Error('mid') : null));
    },
  });
  return new ConcurrentPipeline(range(0, 100), w as any).run();
});
await t('Node writable destroys in final', async () => {
  const w = new Writable({
    objectMode: true,
    write(c, e, cb) {
      cb();
    },
    final(cb) {
      this.destroy();
    },
  });
  return new ConcurrentPipeline(range(0, 100), w as any).run();
});
await t('Web writable errors mid', async () => {
  let n = 0;
  const w = new WritableStream(
    {
      async write() {
        await sleep(1);
        if (++n === 3) throw new Error('mid');
      },
    },
    { highWaterMark: 5 },
  );
  return new ConcurrentPipeline(range(0, 100), w as any).run();
});
await t('Web writable controller.error between', async () => {
  let c: any;
  const w = new WritableStream(
    {
      start(x) {
        c = x;
      },
      async write() {
        await sleep(1);
      },
    },
    { highWaterMark: 5 },
  );
  setTimeout(() => c.error(new Error('ctl')), 20);
  return new ConcurrentPipeline(range(0, 1000), w as any).run();
});
await t('Web writable locked', async () => {
  const w = new WritableStream({});
  w.getWriter();
  return new ConcurrentPipeline(range(0, 1000), w as any).run();
});
await t('drain pending async gen', async () => {
  let fin = false;
  async function* g() {
    try {
      yield 1;
      await new Promise(() => {});
    } finally {
      fin = true;
    }
  }
  const c = collect<number>();
  const p = new ConcurrentPipeline(g(), c);
  const r = p.run();
  await sleep(20);
  await p.drain();
  await r;
  return [c.items, fin];
});
await t('drain pending Readable', async () => {
  const rd = new Readable({ objectMode: true, read() {} });
  rd.push(1);
  const c = collect<number>();
  const p = new ConcurrentPipeline<any>(rd, c);
  const r = p.run();
  await sleep(20);
  await p.drain();
  await r;
  return [c.items, rd.destroyed, rd.listenerCount('readable'), rd.listenerCount('error')];
});
await t('Readable errors mid', async () => {
  const rd = Readable.from(
    (function* () {
      yield 1;
      yield 2;
      throw new Error('rd');
    })(),
  );
  const c = collect<any>();
  const p = new ConcurrentPipeline<any>(rd, c);
  return p.run();
});
await t('abort feed with partition unserved', async () => {
  const d = B<number>({ bufferSize: 10 }).partition(['a', 'b'], (n) => (n % 2 ? 'a' : 'b'));
  let closed: any;
  await d.subscribeSink(
    {
      write() {},
      close(r: any) {
        closed = r ?? 'good';
      },
    },
    'a',
  );
  const p = new ConcurrentPipeline(range(0, 1000), d.createSink(10));
  const r = p.run().catch((e) => e);
  await sleep(20);
  const t0 = Date.now();
  await p.abort(new Error('ab'));
  return [String(await r), String(closed), Date.now() - t0];
});
await t('B subscribes while A leaves, dispatcher aborts', async () => {
  const d = B<number>().partition(['a'], () => 'a');
  const s = await d.subscribeSink(
    {
      async write() {
        await sleep(100);
      },
    },
    'a',
  );
  const r = new ConcurrentPipeline(range(0, 100), d.createSink(10)).run().catch((e) => e);
  await sleep(10);
  void s.unsubscribe().catch(() => {});
  let opened = 0,
    closed = 0;
  const b = d
    .subscribeSink(
      {
        open() {
          opened++;
        },
        write() {},
        close() {
          closed++;
        },
      },
      'a',
    )
    .catch((e) => e);
  await sleep(10);
  await d.abort(new Error('x'));
  const e = await r;
  const bb: any = await b;
  await sleep(50);
  return [String(e), opened, closed, bb instanceof Error ? 'rej ' + bb.message : bb.status.state];
});
await t(
  'detach last partition sink',
  async () => {
    const d = B<number>().partition(['a', 'b'], (n) => (n % 2 ? 'a' : 'b'));
    await d.subscribeSink(count(), 'a');
    await d.subscribeSink(
      () => {
        throw new Error('q');
      },
      'b',
      { onError: 'detach' },
    );
    const p = new ConcurrentPipeline(range(0, 100), d.createSink(10));
    const r = await p.run();
    return [r.read, d.sinks().map((s) => [s.name, s.state, s.delivered, s.failed, s.buffered])];
  },
  1500,
);
process.exit(0);
