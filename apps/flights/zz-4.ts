import { ConcurrentPipeline, from, collect, count, range, Channel } from '@streamweld/core';
import { FileSource, FileSink } from '@streamweld/file';
import * as fs from 'node:fs';
import * as zlib from 'node:zlib';
import * as path from 'node:path';
import * as os from 'node:os';
import { t, B, sleep, psource } from './zz-h.ts';
const D = fs.mkdtempSync(path.join(os.tmpdir(), 'zz-'));
const f = (n: string) => path.join(D, n);
const ls = () => fs.readdirSync(D, { recursive: true }) as string[];
async function read(n: any, o?: any) {
  const c = collect<any>();
  const r = await new ConcurrentPipeline<any>(new FileSource(n, o) as any, c).run();
  return [
    c.items.length,
    c.items.slice(0, 4),
    [...r.positions].map(([k, v]: any) => [path.basename(k), v.offset, v.record, v.done]),
  ];
}
fs.writeFileSync(f('empty'), '');
await t('empty', () => read(f('empty')));
await t('empty ndjson', () => read(f('empty'), { format: 'ndjson' }));
await t('empty csv', () => read(f('empty'), { format: 'csv' }));
await t('empty bytes', () => read(f('empty'), { format: 'bytes' }));
fs.writeFileSync(f('e.gz'), '');
await t('empty .gz', () => read(f('e.gz')));
fs.writeFileSync(f('one'), 'a');
await t('one byte', () => read(f('one')));
fs.writeFileSync(f('nofinal'), 'a\r\nb\rc\n\nd');
await t('crlf', () => read(f('nofinal')));
fs.writeFileSync(f('plain.gz'), 'not gzip\n');
await t('plain named gz', () => read(f('plain.gz')));
fs.writeFileSync(f('gz.txt'), zlib.gzipSync('x\ny\n'));
await t('gzip by bytes', () => read(f('gz.txt')));
await t('gzip none', () => read(f('gz.txt'), { compression: 'none', format: 'bytes' }));
fs.writeFileSync(f('1f'), Buffer.from([0x1f]));
await t('one 0x1f', () => read(f('1f'), { format: 'bytes' }));
fs.writeFileSync(f('bom.csv'), '\ufeffid,n\n1,a\n2,"b\nc"\n');
await t('csv bom', () => read(f('bom.csv'), { format: 'csv' }));
fs.writeFileSync(f('rag.csv'), 'a,b\n1,2\n3\n');
await t('csv ragged', () => read(f('rag.csv'), { format: 'csv' }));
fs.writeFileSync(f('dup.csv'), 'a,a\n1,2\n');
await t('csv dup header', () => read(f('dup.csv'), { format: 'csv' }));
fs.writeFileSync(f('bad8'), Buffer.concat([Buffer.from('ok\nab'), Buffer.from([0xff]), Buffer.from('\n')]));
await t('bad utf8', () => read(f('bad8')));
fs.writeFileSync(f('bl.ndjson'), '{"a":1}\n\n{"a":2}');
await t('ndjson blank/no final', () => read(f('bl.ndjson'), { format: 'ndjson' }));
fs.writeFileSync(f('ctr.ndjson'), '{"a":1}\n{"a":');
await t('ndjson partial', () => read(f('ctr.ndjson'), { format: 'ndjson' }));
await t('dup in list', () => read([f('one'), f('one')]));
await t('empty list', () => read([]));
await t('dir', () => read(D));
await t('missing', () => read(f('nope')));
await t('bad opt', async () => new FileSource(f('x'), { fromat: 'csv' } as any));
await t('bad fmt', async () => new FileSource(f('x'), { format: 'xml' } as any));
await t('non-string path', async () => new FileSource(undefined as any));
await t('empty path', async () => new FileSource(''));
await t('nul path', () => read('a\0b'));
await t('many lines small chunk', () => {
  fs.writeFileSync(f('many'), Array.from({ length: 1000 }, (_, i) => 'é' + i).join('\r\n'));
  return read(f('many'), { chunkBytes: 3 });
});
await t('sink zero items', async () => {
  await new ConcurrentPipeline<any>([], new FileSink(f('z.txt'))).run();
  return [
    fs.existsSync(f('z.txt')) ? fs.readFileSync(f('z.txt')).length : 'none',
    ls().filter((x) => /tmp/.test(x)),
  ];
});
await t('sink zero items csv', async () => {
  await new ConcurrentPipeline<any>([], new FileSink(f('z.csv'), { format: 'csv' })).run();
  return fs.existsSync(f('z.csv'));
});
await t('two sinks one path via broadcast', async () => {
  const d = B<string>().broadcast();
  await d.subscribeSink(new FileSink(f('two')));
  await d.subscribeSink(new FileSink(f('two')));
  await new ConcurrentPipeline<string>(['a', 'b'], d.createSink()).run();
  return [fs.readFileSync(f('two'), 'utf8'), ls().filter((x) => /tmp/.test(x))];
});
await t('abort leaves no tmp', async () => {
  const p = new ConcurrentPipeline<string>(
    (function* () {
      for (let i = 0; ; i++) yield 'x'.repeat(1000);
    })(),
    new FileSink(f('ab/x')),
  );
  const r = p.run().catch((e) => e);
  await sleep(100);
  await p.abort();
  await r;
  return ls().filter((x) => /tmp|ab/.test(x));
});
await t('abort leaves no tmp path fn gz dispatched', async () => {
  const d = B<string>().partition(['a'], () => 'a');
  await d.subscribeSink(new FileSink((s: string) => s.slice(0, 3) + '.gz', { root: f('rt') }), 'a');
  const p = new ConcurrentPipeline<string>(
    (function* () {
      for (let i = 0; ; i++) yield String(100 + (i % 300)) + 'x'.repeat(1000);
    })(),
    d.createSink(),
  );
  const r = p.run().catch((e) => e);
  await sleep(200);
  await p.abort();
  await r;
  return ls()
    .filter((x) => /tmp$|rt/.test(x))
    .slice(0, 5);
});
await t('path escape', async () =>
  new ConcurrentPipeline<string>(['../x'], new FileSink((s: string) => s, { root: f('rt') })).run(),
);
await t('path abs', async () =>
  new ConcurrentPipeline<string>(['/tmp/zzabs'], new FileSink((s: string) => s, { root: f('rt') })).run(),
);
await t('path fn undefined', async () =>
  new ConcurrentPipeline<string>(
    ['q'],
    new FileSink((s: string) => undefined as any, { root: f('rt') }),
  ).run(),
);
await t('path fn throws', async () =>
  new ConcurrentPipeline<string>(
    ['q'],
    new FileSink(
      (s: string) => {
        throw new Error('pf');
      },
      { root: f('rt') },
    ),
  ).run(),
);
await t('path fn empty / dot', async () =>
  new ConcurrentPipeline<string>(['.'], new FileSink((s: string) => s, { root: f('rt') })).run(),
);
await t('relative root + chdir', async () => {
  process.chdir(D);
  const s = new FileSink((s: string) => s, { root: 'rel' });
  fs.mkdirSync(f('other'), { recursive: true });
  const r = new ConcurrentPipeline<string>(['q'], s);
  process.chdir(f('other'));
  await r.run();
  process.chdir(D);
  return ls().filter((x) => /rel/.test(x));
});
await t('line with newline item', async () => {
  await new ConcurrentPipeline<string>(['a\nb'], new FileSink(f('nl'))).run();
  return read(f('nl'));
});
await t('lines non-string', async () => new ConcurrentPipeline<any>([1], new FileSink(f('nl'))).run());
await t('ndjson undefined/circular/bigint', async () => {
  const o: any[] = [];
  const c: any = {};
  c.c = c;
  for (const x of [undefined, () => 1, c, 1n])
    o.push(
      await new ConcurrentPipeline<any>([x], new FileSink(f('nj.ndjson'), { format: 'ndjson' })).run().then(
        () => 'ok',
        (e) => e.code + ' ' + e.failed,
      ),
    );
  return [o, fs.existsSync(f('nj.ndjson'))];
});
await t('target is dir', async () => new ConcurrentPipeline<any>(['a'], new FileSink(D)).run());
await t('same file read and write', async () => {
  fs.writeFileSync(f('rw'), 'a\nb\n');
  await new ConcurrentPipeline<any>(
    from(new FileSource(f('rw'))).map((s: any) => s + s),
    new FileSink(f('rw')),
  ).run();
  return fs.readFileSync(f('rw'), 'utf8');
});
await t('FileSink detach with durable pending', async () => {
  const d = B<any>().broadcast();
  const commits: any[] = [];
  await d.subscribeSink(count());
  await d.subscribeSink(
    new FileSink(
      (n: any) => {
        if (n === 55) throw new Error('p');
        return 'det';
      },
      { root: D, format: 'ndjson' },
    ),
    undefined,
    { onError: 'detach', name: 'F' },
  );
  await new ConcurrentPipeline<any>(psource(100, 10, commits) as any, d.createSink(10)).run();
  return [
    commits.at(-1),
    d.sinks().map((s) => [s.name, s.state, s.delivered, s.failed]),
    ls().filter((x) => /det/.test(x)),
  ];
});
await t('FileSink unsub mid', async () => {
  const d = B<any>().broadcast();
  const commits: any[] = [];
  await d.subscribeSink(async () => {
    await sleep(2);
  });
  const s = await d.subscribeSink(new FileSink(f('us.ndjson'), { format: 'ndjson' }), undefined, {
    name: 'F',
  });
  const r = new ConcurrentPipeline<any>(psource(300, 10, commits) as any, d.createSink(10)).run();
  await sleep(20);
  await s.unsubscribe();
  const n = fs.readFileSync(f('us.ndjson'), 'utf8').trim().split('\n').length;
  await r;
  return [commits.at(-1), n, d.sinks().map((s) => [s.name, s.delivered])];
});
await t('commit mid run with FileSink', async () => {
  const commits: any[] = [];
  await new ConcurrentPipeline<any>(
    psource(3000, 10, commits) as any,
    new FileSink(f('cm.ndjson'), { format: 'ndjson' }),
  )
    .bufferSize(100)
    .maxUncommitted(500)
    .commitEvery({ items: 100 })
    .run();
  return [commits.length, commits.slice(0, 5)];
});
await t('failFast false + FileSink: file visible?', async () => {
  let n = 0;
  const e = await new ConcurrentPipeline<any>(
    from([1, 2, 3, 4, 5, 6]).map((x: any) => {
      if (x === 5) throw new Error('m');
      return x;
    }),
    new FileSink(f('ff.ndjson'), { format: 'ndjson' }),
  )
    .failFast(false)
    .bufferSize(2)
    .run()
    .catch((e) => e);
  return [e.code, fs.existsSync(f('ff.ndjson')) && fs.readFileSync(f('ff.ndjson'), 'utf8')];
});
await t('FileSink reused', async () => {
  const s = new FileSink(f('re'));
  await new ConcurrentPipeline<any>(['a'], s).run();
  await new ConcurrentPipeline<any>(['b'], s).run();
  return fs.readFileSync(f('re'), 'utf8');
});
await t('FileSource reused', async () => {
  const s = new FileSource(f('nofinal'));
  const c = count();
  await new ConcurrentPipeline<any>(s as any, c).run();
  await new ConcurrentPipeline<any>(s as any, count()).run();
  return c.count;
});
await t('glob none', () => read(f('*.nothing')));
await t('glob', () => read(f('*.gz')));
process.chdir('/');
console.log(
  process.getActiveResourcesInfo().filter((x) => !/Timeout/.test(x)),
  ls().filter((x) => /tmp/.test(x)),
);
fs.rmSync(D, { recursive: true });
process.exit(0);
