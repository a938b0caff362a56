import { ConcurrentPipeline, from, collect, count, range, generate, Channel } from '@streamweld/core';
import { Readable } from 'node:stream';
import net from 'node:net';
import { t, B, sleep, psource } from './zz-h.ts';
await t('drain async gen blocked, deadline', async () => {
  async function* g() {
    yield 1;
    await new Promise(() => {});
  }
  const c = collect<number>();
  const p = new ConcurrentPipeline(g(), c);
  const r = p.run();
  r.catch(() => {});
  await sleep(20);
  const t0 = Date.now();
  const e = await p.drain({ deadlineMs: 200 }).catch((e) => e);
  return [c.items, String(e), Date.now() - t0];
});
await t('drain async gen while buffer full: finally run?', async () => {
  let fin = false;
  async function* g() {
    try {
      for (let i = 0; ; i++) yield i;
    } finally {
      fin = true;
    }
  }
  const p = new ConcurrentPipeline(g(), async () => {
    await sleep(30);
  }).bufferSize(10);
  const r = p.run();
  await sleep(100);
  await p.drain();
  await r;
  await sleep(10);
  return { fin };
});
await t('drain web stream while full: cancelled?', async () => {
  let can = false,
    n = 0;
  const ws = new ReadableStream({
    pull(c) {
      c.enqueue(n++);
    },
    cancel() {
      can = true;
    },
  });
  const p = new ConcurrentPipeline(ws as any, async () => {
    await sleep(30);
  }).bufferSize(10);
  const r = p.run();
  await sleep(100);
  await p.drain();
  await r;
  await sleep(10);
  return { can, locked: ws.locked };
});
await t('drain socket: handle left?', async () => {
  const srv = net
    .createServer((s) => {
      s.write('hello');
    })
    .listen(0);
  await new Promise((r) => srv.once('listening', r));
  const s = net.connect((srv.address() as any).port);
  const p = new ConcurrentPipeline<any>(s, () => {});
  const r = p.run();
  await sleep(50);
  await p.drain();
  await r;
  const x = { destroyed: s.destroyed, res: process.getActiveResourcesInfo().filter((x) => /TCP/.test(x)) };
  s.destroy();
  srv.close();
  return x;
});
await t('readable end closes prematurely (destroy without error)', async () => {
  const rd = new Readable({ objectMode: true, read() {} });
  rd.push(1);
  setTimeout(() => rd.destroy(), 20);
  const c = collect<any>();
  const rep = await new ConcurrentPipeline<any>(rd, c).run();
  return rep.outcome;
});
await t('async iter throws with undefined', async () => {
  async function* g() {
    yield 1;
    throw undefined;
  }
  return new ConcurrentPipeline(g(), () => {}).run();
});
await t('sink throws undefined in each', async () => {
  const out: any[] = [];
  for (const m of ['open', 'write', 'flush', 'close'])
    for (const mode of ['sync', 'async']) {
      const s: any = { write() {} };
      s[m] =
        mode === 'sync'
          ? () => {
              throw undefined;
            }
          : async () => {
              throw undefined;
            };
      let e: any = 'none';
      try {
        await new ConcurrentPipeline(range(0, 10), s).run();
      } catch (x) {
        e = x;
      }
      out.push(m + mode + ':' + (e?.code ?? String(e)));
      const d = B<number>().broadcast();
      e = 'none';
      try {
        await d.subscribeSink(s);
        await new ConcurrentPipeline(range(0, 10), d.createSink()).run();
      } catch (x) {
        e = x;
      }
      out.push('d:' + m + mode + ':' + (e?.code ?? String(e)) + ':' + d.snapshot().state);
    }
  return out;
});
await t('frozen error', async () => {
  return new ConcurrentPipeline(range(0, 10), () => {
    throw Object.freeze(new Error('f'));
  }).run();
});
await t('subscription overlap', async () => {
  // dispatcher source 5ms per 50, sink 5ms per write, sub buffer 100
  const d = B<number>({ bufferSize: 100 }).broadcast();
  let batches = 0,
    max = 0;
  await d.subscribeSink(async (b) => {
    batches++;
    max = Math.max(max, b.length);
    await sleep(5);
  });
  let at = 0;
  const src = {
    async pull(dm: number) {
      if (at >= 5000) return undefined;
      await sleep(5);
      const k = Math.min(dm, 50);
      at += k;
      return Array.from({ length: k }, () => 1);
    },
  };
  const t0 = Date.now();
  await new ConcurrentPipeline(src as any, d.createSink()).bufferSize(100).run();
  return { ms: Date.now() - t0, batches, max };
});
await t(
  'linger with small buffer',
  async () => {
    const d = B<number>({ bufferSize: 10 }).broadcast();
    let n = 0;
    await d.subscribeSink({
      batching: { lingerMs: 100 },
      write(b) {
        n++;
      },
    });
    const t0 = Date.now();
    await new ConcurrentPipeline(range(0, 100), d.createSink()).run();
    return { n, ms: Date.now() - t0 };
  },
  5000,
);
await t('reentrant: sink subscribes in write', async () => {
  const d = B<number>().broadcast();
  const c = collect<number>();
  let done = false;
  await d.subscribeSink({
    write() {
      if (!done) {
        done = true;
        void d.subscribeSink(c);
      }
    },
  });
  await new ConcurrentPipeline(range(0, 5000), d.createSink(100)).run();
  const s = c.items;
  return [s.length, s[0], s.every((x, i) => x === s[0]! + i), s.at(-1)];
});
await t('reentrant: unsub self in write demand', async () => {
  const d = B<number>().demand();
  const c = collect<number>();
  let got = 0;
  const s: any = await d.subscribeSink({
    write(b) {
      got += b.length;
      void s.unsubscribe();
    },
  });
  await d.subscribeSink(c);
  await new ConcurrentPipeline(range(0, 5000), d.createSink(100)).run();
  return [got + c.items.length, new Set(c.items).size, d.sinks().map((s) => [s.name, s.state, s.delivered])];
});
await t('reentrant: abort pipeline in write', async () => {
  const p: any = new ConcurrentPipeline(range(0, 5000), () => {
    p.abort(new Error('in'));
  });
  return p.run();
});
await t('reentrant: await abort in write', async () => {
  const t0 = Date.now();
  const p: any = new ConcurrentPipeline(range(0, 5000), async () => {
    await p.abort(new Error('in'));
  }).closeMs(200);
  const e = await p.run().catch((e: any) => e);
  return [String(e), Date.now() - t0];
});
await t('reentrant: abort dispatcher in write', async () => {
  const d = B<number>().broadcast();
  await d.subscribeSink(() => {
    void d.abort(new Error('in'));
  });
  return new ConcurrentPipeline(range(0, 5000), d.createSink()).run();
});
await t('reentrant: drain in pull/map/write/flush/close', async () => {
  const o: any[] = [];
  for (const w of ['open', 'pull', 'map', 'write', 'flush', 'close']) {
    let p: any;
    let n = 0;
    const h = (x: string) => {
      if (x === w) void p.drain().catch(() => {});
    };
    p = new ConcurrentPipeline<number>(
      from({
        open() {
          h('open');
        },
        pull(d: number) {
          h('pull');
          n++;
          return n > 50 ? undefined : [n];
        },
      } as any).map((x: any) => {
        h('map');
        return x;
      }),
      {
        write() {
          h('write');
        },
        flush() {
          h('flush');
        },
        close() {
          h('close');
        },
      },
    );
    const r = await p.run();
    o.push([w, r.outcome, r.read, r.written]);
  }
  return o;
});
await t('pause in write then resume', async () => {
  let p: any;
  let n = 0;
  p = new ConcurrentPipeline(range(0, 5000), () => {
    if (n++ === 1) {
      void p.pause();
      setTimeout(() => p.resume(), 30);
    }
  });
  const r = await p.run();
  return r.written;
});
await t('pause then abort', async () => {
  const p = new ConcurrentPipeline(
    generate((n) => n),
    async () => {
      await sleep(1);
    },
  );
  const r = p.run().catch((e) => e);
  await sleep(5);
  await p.pause();
  await p.abort();
  return String(await r);
});
await t('forever source no await + onDrop throws', async () => {
  const d = B<number>({ bufferSize: 10 }).broadcast();
  await d.subscribeSink(
    async () => {
      await sleep(5);
    },
    undefined,
    {
      overflow: 'dropOldest',
      onDrop() {
        throw new Error('od');
      },
    },
  );
  return new ConcurrentPipeline(range(0, 500), d.createSink(10)).run();
});
await t('onDrop throws detach', async () => {
  const d = B<number>({ bufferSize: 10 }).broadcast();
  const c = count();
  await d.subscribeSink(c);
  await d.subscribeSink(
    async () => {
      await sleep(5);
    },
    undefined,
    {
      name: 'B',
      overflow: 'dropOldest',
      onError: 'detach',
      onDrop() {
        throw new Error('od');
      },
    },
  );
  const commits: any[] = [];
  await new ConcurrentPipeline(psource(500, 10, commits), d.createSink(10)).run();
  return [commits.at(-1), c.count, d.sinks().map((s) => [s.name, s.state, s.delivered, s.dropped, s.failed])];
});
await t('overflow fail detach', async () => {
  const d = B<number>({ bufferSize: 10 }).broadcast();
  const c = count();
  await d.subscribeSink(c, undefined, { bufferSize: 1000 });
  await d.subscribeSink(
    async () => {
      await sleep(5);
    },
    undefined,
    { name: 'B', overflow: 'fail', onError: 'detach' },
  );
  const commits: any[] = [];
  await new ConcurrentPipeline(psource(500, 10, commits), d.createSink(10)).run();
  return [commits.at(-1), c.count, d.sinks().map((s) => [s.name, s.state, s.delivered, s.dropped, s.failed])];
});
await t('selector throws', async () => {
  const d = B<number>().broadcast();
  await d.subscribeSink(count(), undefined, {
    selector() {
      throw new Error('sel');
    },
    onError: 'detach',
  });
  const c = count();
  await d.subscribeSink(c);
  return new ConcurrentPipeline(range(0, 50), d.createSink()).run().then((r) => [r.read, c.count]);
});
await t(
  'key throws, other partitions go on',
  async () => {
    const d = B<number>().partition(['a', 'b'], (n) => (n % 2 ? 'a' : 'b'), {
      key: (n) => {
        if (n === 5) throw new Error('k');
        return n;
      },
      onUnknown: 'drop',
    });
    const a = count(),
      b = count();
    await d.subscribeSink(a, 'a', { onError: 'detach' });
    await d.subscribeSink(b, 'b');
    return new ConcurrentPipeline(range(0, 50), d.createSink())
      .run()
      .then((r) => [r.read, a.count, b.count, d.sinks().map((s) => [s.name, s.state, s.failed])]);
  },
  1500,
);
await t('key invalid NaN', async () => {
  const d = B<number>().partition(2, (n) => NaN);
  const a = count(),
    b = count();
  await d.subscribeSink(a, 0);
  await d.subscribeSink(b, 1);
  return new ConcurrentPipeline(range(0, 50), d.createSink()).run().then((r) => [a.count, b.count]);
});
await t('no rejections: dispatcher fails while nobody feeds', async () => {
  const d = B<number>().broadcast();
  let c: any;
  await d.subscribeSink({
    open(x: any) {
      c = x;
    },
    write() {},
  });
  c.fail(new Error('idle'));
  await sleep(20);
  const e: any = await d.subscribeSink(count()).catch((e) => e);
  let f: any;
  try {
    d.createSink();
  } catch (x) {
    f = x;
  }
  return [d.snapshot().state, String(e), String(f)];
});
console.log(process.getActiveResourcesInfo());
process.exit(0);
