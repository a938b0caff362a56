// random dispatcher soak
import { ConcurrentPipeline, from } from '@streamweld/core';
import { B, sleep } from './zz-h.ts';

async function one(kind: string, s: number) {
  let seed = s * 7919 + 1 + kind.length;
  function rnd() {
    seed = (seed * 1664525 + 1013904223) >>> 0;
    return seed / 4294967296;
  }
  const ri = (n: number) => Math.floor(rnd() * n);
  const N = 400 + ri(800);
  const got = new Map<number, number>();
  const perKey = new Map<number, number>();
  const bad: string[] = [];
  const seen = new Map<string, number[]>();
  let failedItems = 0;
  const bs = 1 + ri(40);
  const keyed = kind === 'keyed';
  const d: any =
    kind === 'broadcast'
      ? B<number>({ bufferSize: bs }).broadcast()
      : kind === 'demand'
        ? B<number>().demand()
        : keyed
          ? B<number>({ bufferSize: bs }).partition(['a', 'b'], (n: number) => (n % 2 ? 'a' : 'b'), {
              key: (n: number) => n % 10,
            })
          : B<number>({ bufferSize: bs }).partition(['a', 'b'], (n: number) => (n % 2 ? 'a' : 'b'));
  const durable = new Set<number>();
  const count = new Map<number, number>();
  const inKey = new Set<number>();
  const detachable = kind === 'demand' || kind === 'broadcast';
  let nsink = 0;
  const mk = (failAt?: number) => {
    const name = 's' + nsink++;
    seen.set(name, []);
    let w = 0;
    const slow = ri(4);
    return {
      name,
      write: (b: readonly number[]) => {
        if (failAt !== undefined && w++ === failAt) {
          throw new Error('boom');
        }
        const fin = () => {
          for (const x of b) {
            seen.get(name)!.push(x);
            count.set(x, (count.get(x) ?? 0) + 1);
            if (kind !== 'demand') {
              const k = keyed ? x % 10 : x % 2;
              if (kind !== 'broadcast') {
                if ((perKey.get(k) ?? -1) >= x) bad.push(`order key ${k}: ${x} after ${perKey.get(k)}`);
                perKey.set(k, x);
              }
            }
          }
        };
        const ks = new Set(b.map((x) => (keyed ? x % 10 : x % 2)));
        if (kind !== 'demand' && kind !== 'broadcast') {
          for (const k of ks) {
            if (inKey.has(k)) bad.push('concurrent key ' + k);
            inKey.add(k);
          }
        }
        const done = () => {
          fin();
          for (const k of ks) inKey.delete(k);
        };
        if (slow === 0) {
          done();
          return;
        }
        return sleep(ri(slow)).then(done);
      },
    };
  };
  const subs: any[] = [];
  const sub = async (part?: string, f?: number) => {
    const sk = mk(f);
    const s = await d.subscribeSink(sk, part, {
      ...(keyed ? { maxConcurrency: 1 + ri(4) } : {}),
      ...(f !== undefined ? { onError: 'detach' } : {}),
    });
    subs.push({ s, part, sk });
    return s;
  };
  const parts = kind === 'broadcast' || kind === 'demand' ? [undefined] : ['a', 'b'];
  for (const p of parts) await sub(p);
  const commits: number[] = [];
  let at = 0;
  const issued: number[][] = [];
  const mksrc = (lo: number, hi: number) => {
    let at = lo;
    return {
      name: 'src',
      pull(dm: number) {
        if (at >= hi) return undefined;
        const k = Math.min(1 + ri(dm), hi - at);
        const items = Array.from({ length: k }, (_, i) => at + i);
        at += k;
        const r = { items, position: at };
        return ri(3) ? r : (sleep(ri(3)).then(() => r) as any);
      },
      commit(p: any) {
        const pos = p.get('');
        commits.push(pos);
        for (let x = lo; x < pos; x++)
          if (!count.has(x) && failedAll === 0 && !d.sinks().some((s: any) => s.failed > 0)) {
            bad.push(`commit ${pos} before ${x} durable`);
            break;
          }
      },
    };
  };
  let failedAll = 0;
  const feeds = kind === 'broadcast' || kind === 'demand' ? 1 + ri(2) : 1;
  const runs = [];
  for (let f = 0; f < feeds; f++) {
    const lo = f * N,
      hi = lo + N;
    const p = new ConcurrentPipeline<number>(from(mksrc(lo, hi) as any) as any, d.createSink(1 + ri(30)))
      .bufferSize(1 + ri(60))
      .maxConcurrency(1 + ri(3))
      .commitEvery({ items: 1 + ri(20), ms: 1 });
    runs.push(p.run());
  }
  let over = false;
  const all = Promise.all(runs).then((r) => {
    over = true;
    return r;
  });
  const chaos = (async () => {
    for (let i = 0; i < 10 && !over; i++) {
      await sleep(ri(6));
      if (over) return;
      const a = ri(4);
      try {
        if (a === 0) {
          await sub(keyed ? parts[ri(2)] : kind === 'partition' ? undefined : undefined);
        } else if (a === 1 && subs.length > 0) {
          const i = ri(subs.length);
          const x = subs[i];
          const samePart = subs.filter((o) => o.part === x.part).length;
          if (kind === 'partition') {
            subs.splice(i, 1);
            const u = x.s.unsubscribe();
            if (ri(2)) await sub(x.part);
            else {
              await u;
              await sub(x.part);
            }
            await u;
          } else if (
            samePart > 1 &&
            subs.filter((o) => o.part === x.part && o.s.status.state === 'open').length > 1
          ) {
            subs.splice(i, 1);
            await x.s.unsubscribe();
          } else if (keyed) {
            subs.splice(i, 1);
            const u = x.s.unsubscribe();
            await sub(x.part);
            await u;
          }
        } else if (a === 2 && detachable) await sub(undefined, ri(5));
      } catch (e: any) {
        if (!/PARTITION_MISSING|DISPATCHER_CLOSED/.test(e.code ?? ''))
          bad.push('chaos ' + e.code + ' ' + e.message);
      }
    }
  })();
  const r = await Promise.race([
    all.then(
      () => 'ok',
      (e) => 'REJ ' + e.code + ' ' + e.message,
    ),
    sleep(6000).then(() => 'HANG'),
  ]);
  if (r !== 'ok' && !(r === 'HANG' && !subs.some((o) => o.s.status.state === 'open'))) bad.push(r);
  await Promise.race([chaos, sleep(300)]);
  const total = feeds * N;
  let miss = 0;
  if (kind !== 'broadcast') {
    for (let x = 0; x < total; x++) {
      const c = count.get(x) ?? 0;
      if (c > 1) {
        bad.push(`item ${x} x${c}`);
        break;
      }
      if (c === 0) miss++;
    }
    const fl = d.sinks().reduce((a: number, s: any) => a + s.failed, 0);
    if (miss !== fl && r === 'ok') bad.push(`missing ${miss} failed ${fl}`);
  } else
    for (const [n, l] of seen) {
      const per: number[][] = Array.from({ length: feeds }, () => []);
      for (const x of l) per[Math.floor(x / N)]!.push(x);
      for (const l2 of per)
        for (let i = 1; i < l2.length; i++)
          if (l2[i] !== l2[i - 1]! + 1) {
            bad.push(`gap in ${n} at ${l2[i]}`);
            break;
          }
    }
  if (r === 'ok')
    for (const st of d.sinks())
      if (st.buffered || st.inFlight || (st.highWaterMark > st.bufferSize && kind !== 'demand'))
        bad.push('status ' + JSON.stringify(st));
  if (bad.length)
    console.log(kind, s, bad.slice(0, 3), r === 'HANG' ? JSON.stringify(d.snapshot()).slice(0, 900) : '');
  return bad.length;
}
const t0 = Date.now();
let n = 0,
  b = 0;
for (let s = 0; Date.now() - t0 < 60000 && b < 12; s++) {
  const rs = await Promise.all(['broadcast', 'demand', 'keyed', 'partition'].flatMap((k) => [one(k, s)]));
  n += 4;
  b += rs.filter(Boolean).length;
}
console.log({ n, b });
process.exit(0);
