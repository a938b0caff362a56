import {
  ConcurrentPipeline,
  from,
  collect,
  count,
  range,
  repeat,
  Channel,
  throughput,
} from '@streamweld/core';
import { t, B, sleep, psource } from './zz-h.ts';
// positions across operators
let seed = 7;
const rnd = () => {
  seed = (seed * 1664525 + 1013904223) >>> 0;
  return seed / 4294967296;
};
const ri = (n: number) => Math.floor(rnd() * n);
await t(
  'positions soak',
  async () => {
    const bad: string[] = [];
    const t0 = Date.now();
    let runs = 0;
    for (let s = 0; Date.now() - t0 < 25000 && bad.length < 8; s++) {
      seed = s * 977 + 3;
      runs++;
      const N = 60 + ri(300);
      let at = 0;
      const durable = new Set<number>();
      let lastCommit = 0;
      let maxOut = 0,
        inside = 0;
      const ops: string[] = [];
      const consumed = new Set<number>(); // items dropped on purpose
      const src: any = {
        name: 's',
        pull(d: number) {
          if (at >= N) return undefined;
          const k = Math.min(1 + ri(d), N - at);
          const items = Array.from({ length: k }, (_, i) => at + i);
          at += k;
          const r = { items, position: at };
          return ri(3) === 0 ? sleep(ri(2)).then(() => r) : r;
        },
        commit(p: any) {
          const pos = p.get('');
          if (pos < lastCommit) bad.push(`s${s} commit back ${pos}<${lastCommit} ${ops}`);
          lastCommit = pos;
          for (let x = 0; x < pos; x++)
            if (!durable.has(x) && !consumed.has(x)) {
              bad.push(`s${s} commit ${pos} but ${x} not durable [${ops}]`);
              break;
            }
        },
      };
      // elements carried: {ids:number[]}
      let fl: any = from<any>(src as any).map((x: number) => [x]);
      const expectMulti = new Map<number, number>();
      const nops = ri(4);
      let mult = false;
      const reps = new Map<number, number>();
      for (let i = 0; i < nops; i++) {
        const o = ri(8);
        if (o === 0) {
          ops.push('filter');
          const m = 2 + ri(3);
          fl = fl.filter((v: number[]) => {
            const keep = v.some((x) => x % m !== 0);
            if (!keep && !mult) v.forEach((x) => consumed.add(x));
            if (!keep && mult) v.forEach((x) => consumed.add(x));
            return keep;
          });
        } else if (o === 1) {
          ops.push('amap');
          fl = fl.map(
            async (v: number[]) => {
              await sleep(ri(2));
              return v;
            },
            { concurrency: 1 + ri(4) },
          );
        } else if (o === 2) {
          ops.push('amapU');
          fl = fl.map(
            async (v: number[]) => {
              await sleep(ri(3));
              return v;
            },
            { concurrency: 1 + ri(4), ordered: false },
          );
        } else if (o === 3) {
          ops.push('batch');
          const bs = 1 + ri(7);
          fl = fl.batch(bs, ri(2) ? { withinMs: 1 } : undefined).map((b: number[][]) => b.flat());
        } else if (o === 4) {
          ops.push('flatMap');
          const k = ri(4);
          if (k === 0) {
          }
          mult = true;
          fl = fl.flatMap((v: number[]) => {
            const n = Math.max(1, k);
            return Array.from({ length: n }, () => v);
          });
        } else if (o === 5) {
          ops.push('through');
          let held: any[] = [];
          fl = fl.through({
            process(b: any) {
              const all = [...held, ...b];
              const n = ri(all.length + 1);
              held = all.slice(n);
              return all.slice(0, n);
            },
            flush() {
              const h = held;
              held = [];
              return h;
            },
            holdsBack() {
              return held.length > 0;
            },
          });
        } else if (o === 6) {
          ops.push('drop');
          const n = ri(5);
          let c = 0; /* cannot track */
          fl = fl.tap(() => {});
        } else {
          ops.push('aflat');
          mult = true;
          fl = fl.flatMap(async (v: number[]) => {
            await sleep(0);
            return [v, v];
          });
        }
      }
      const need = new Map<number, number>();
      const have = new Map<number, number>();
      const w = (b: readonly number[][]) => {
        for (const v of b)
          for (const x of v) {
            durable.add(x);
          }
      };
      const mode = ri(3);
      const bs = 1 + ri(50);
      const mc = 1 + ri(4);
      let sink: any;
      let pend: (() => void)[] = [];
      if (mode === 0)
        sink = {
          write(b: any) {
            w(b);
          },
        };
      else if (mode === 1)
        sink = {
          async write(b: any) {
            await sleep(ri(3));
            w(b);
          },
        };
      else
        sink = {
          write(b: any) {
            return {
              durable: new Promise<void>((r) => {
                pend.push(() => {
                  w(b);
                  r();
                });
                if (ri(3) === 0)
                  setTimeout(() => {
                    const p = pend;
                    pend = [];
                    p.forEach((f) => f());
                  }, ri(3));
              }),
            };
          },
          flush() {
            const p = pend;
            pend = [];
            p.forEach((f) => f());
          },
        };
      let p: any;
      const useD = ri(3);
      let d: any;
      if (useD === 1) {
        d = B<any>({ bufferSize: 1 + ri(30) }).broadcast();
        await d.subscribeSink(sink);
        await d.subscribeSink(() => {});
        p = new ConcurrentPipeline<any>(fl, d.createSink(1 + ri(20)));
      } else p = new ConcurrentPipeline<any>(fl, sink);
      p.bufferSize(bs)
        .maxConcurrency(mc)
        .commitEvery({ items: 1 + ri(10), ms: 1 })
        .maxUncommitted(1 + ri(50));
      const run = p.run();
      const act = ri(4);
      if (act === 1)
        setTimeout(() => {
          try {
            void p.drain().catch(() => {});
          } catch {}
        }, ri(10));
      if (act === 2) setTimeout(() => void p.abort().catch(() => {}), ri(10));
      if (act === 3)
        setTimeout(() => {
          void p.pause();
          setTimeout(() => p.resume(), 3);
        }, ri(5));
      const r: any = await Promise.race([run.catch((e: any) => e), sleep(3000).then(() => 'HANG')]);
      if (r === 'HANG')
        bad.push(
          `s${s} HANG act${act} mode${mode} d${useD} [${ops}] ${JSON.stringify(p.snapshot()).slice(0, 300)}`,
        );
      else if (act !== 2) {
        if (r instanceof Error) bad.push(`s${s} ${r.message} [${ops}]`);
        else {
          if (act !== 1 && lastCommit !== N)
            bad.push(`s${s} last commit ${lastCommit}/${N} [${ops}] act${act} mode${mode}`);
          if (act === 1 && lastCommit !== at) bad.push(`s${s} drained commit ${lastCommit}/${at} [${ops}]`);
          if (r.highWaterMark > bs) bad.push(`hw ${r.highWaterMark}>${bs}`);
        }
      }
    }
    return { runs, bad };
  },
  40000,
);
await t(
  'hard bound outside',
  async () => {
    const bad: string[] = [];
    for (let s = 0; s < 300; s++) {
      seed = s * 31 + 5;
      const bs = 1 + ri(20);
      let out = 0,
        inn = 0,
        max = 0;
      const N = 300;
      let at = 0;
      const src = {
        pull(d: number) {
          if (at >= N) return undefined;
          if (d > bs) bad.push('demand>bs');
          const k = Math.min(1 + ri(d), N - at);
          at += k;
          out += k;
          max = Math.max(max, out - inn);
          return ri(2)
            ? Array.from({ length: k }, () => 1)
            : sleep(0).then(() => Array.from({ length: k }, () => 1));
        },
      };
      await new ConcurrentPipeline<any>(src as any, async (b) => {
        await sleep(ri(2));
        inn += b.length;
      })
        .bufferSize(bs)
        .maxConcurrency(1 + ri(5))
        .run();
      if (max > bs) bad.push(`max ${max}>${bs}`);
    }
    return bad.slice(0, 5);
  },
  20000,
);
await t('channel odd', async () => {
  const o: any[] = [];
  const c = new Channel<number>({ capacity: 0 });
  const s = c.send(1);
  o.push(await c.receive());
  await s;
  const c2 = new Channel<number>({
    capacity: 2,
    overflow: 'dropOldest',
    onDrop: () => {
      throw new Error('od');
    },
  });
  try {
    await c2.sendMany([1, 2, 3, 4]);
    o.push('nothrow');
  } catch (e: any) {
    o.push('thr ' + e.message);
  }
  o.push(c2.tryReceiveMany?.(9));
  const c3 = new Channel<number>({ capacity: 0, overflow: 'dropOldest' });
  await c3.send(1);
  o.push('drop0', c3.tryReceive());
  const c4 = new Channel<number>({ capacity: 1 });
  const ac = new AbortController();
  await c4.send(1);
  const p = c4.send(2, { signal: ac.signal }).catch((e) => 'rej ' + e.name);
  ac.abort();
  o.push(await p, await c4.receive());
  const p5 = c4
    .sendMany([1, 2, 3], { signal: AbortSignal.timeout(20) })
    .catch((e: any) => [e.name, e.code, e.sent ?? e.accepted]);
  o.push(await p5, c4.tryReceive());
  c4.close();
  o.push(await c4.receive(), await c4.receiveMany(5), await c4.send(1).catch((e) => e.code));
  for await (const x of c4) o.push(x);
  for (const m of [0, -1, 1.5, NaN]) {
    try {
      void (c4.receiveMany(m) as any).catch?.((e: any) => o.push('async ' + e.code));
      o.push('no' + m);
    } catch (e: any) {
      o.push(e.code);
    }
  }
  const c6 = new Channel<any>({ capacity: 1 });
  await c6.send(undefined);
  o.push(await c6.receive());
  return o;
});
await t(
  'memory',
  async () => {
    const o: any[] = [];
    for (const k of ['pipe', 'broadcast', 'demand', 'partition', 'keyed']) {
      const heaps: number[] = [];
      const d: any =
        k === 'broadcast'
          ? B<number>().broadcast()
          : k === 'demand'
            ? B<number>().demand()
            : k === 'partition'
              ? B<number>().partition(4, (n) => n)
              : k === 'keyed'
                ? B<number>().partition(['a', 'b'], (n) => (n & 1 ? 'a' : 'b'), { key: (n) => n % 100 })
                : null;
      if (d)
        for (let i = 0; i < (k === 'keyed' ? 2 : 4); i++)
          await d.subscribeSink(() => {}, k === 'partition' ? i : k === 'keyed' ? ['a', 'b'][i] : undefined);
      let at = 0;
      const N = 5e6;
      const src = {
        pull(dm: number) {
          if (at >= N) return undefined;
          const a = Array.from({ length: dm }, (_, i) => at + i);
          const b = at;
          at += dm;
          if (Math.floor(b / 1e6) !== Math.floor(at / 1e6)) {
            (globalThis as any).gc?.();
            heaps.push(Math.round(process.memoryUsage().heapUsed / 1e5) / 10);
          }
          return { items: a, position: at };
        },
        commit() {},
      };
      const t0 = Date.now();
      await new ConcurrentPipeline<any>(src as any, d ? d.createSink() : () => {}).run();
      o.push([k, heaps.join(' '), Date.now() - t0]);
    }
    return o;
  },
  60000,
);
process.exit(0);
