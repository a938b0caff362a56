import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { FileSource } from '@streamweld/file';
import { csv, lines } from '@streamweld/formats';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { contextOf, failureOf, itemsOf, openFilesIn, type Pulled, pullAll, testFolder } from './driving.ts';
import { faultyLayer } from './file-layer.ts';

function fileWith(content: string | Uint8Array, name = 'input.txt'): string {
  const path = join(testFolder(), name);
  writeFileSync(path, content);
  return path;
}

const numbered = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => `line ${index} ${'ä'.repeat(index % 7)}`);

describe('FileSource', () => {
  test('reads lines where nothing else is said', async () => {
    expect(await itemsOf(new FileSource(fileWith('one\ntwo\r\nthree')))).toEqual(['one', 'two', 'three']);
  });

  test('reads ndjson, csv, bytes and a format of one’s own', async () => {
    expect(await itemsOf(new FileSource(fileWith('{"a":1}\n{"a":2}\n'), { format: 'ndjson' }))).toEqual([
      { a: 1 },
      { a: 2 },
    ]);
    expect(await itemsOf(new FileSource(fileWith('a,b\n1,"x\ny"\n'), { format: 'csv' }))).toEqual([
      { a: '1', b: 'x\ny' },
    ]);
    const bytes = await itemsOf(
      new FileSource(fileWith(new Uint8Array([0, 255, 10, 13])), { format: 'bytes' }),
    );
    expect(Buffer.concat(bytes)).toEqual(Buffer.from([0, 255, 10, 13]));
    expect(
      await itemsOf(new FileSource(fileWith('a;b\n'), { format: csv({ header: false, delimiter: ';' }) })),
    ).toEqual([['a', 'b']]);
  });

  test('reads several files in order, each once, each a lane', async () => {
    const folder = testFolder();
    for (const name of ['b', 'a', 'c']) writeFileSync(join(folder, name), `${name}1\n${name}2\n`);
    const source = new FileSource([join(folder, 'c'), join(folder, 'b'), `${folder}/./a`, join(folder, 'b')]);
    const batches = await pullAll(source, { demand: 10 });
    expect(batches.flatMap((batch) => batch.items)).toEqual(['a1', 'a2', 'b1', 'b2', 'c1', 'c2']);
    expect([...new Set(batches.map((batch) => batch.lane))]).toEqual(
      ['a', 'b', 'c'].map((name) => join(folder, name)),
    );
  });

  test('takes gzip by its name and by its first bytes, and leaves it where it is told to', async () => {
    const zipped = gzipSync('one\ntwo\n');
    expect(await itemsOf(new FileSource(fileWith(zipped, 'input.GZ')))).toEqual(['one', 'two']);
    expect(await itemsOf(new FileSource(fileWith(zipped, 'input.log')))).toEqual(['one', 'two']);
    const raw = await itemsOf(
      new FileSource(fileWith(zipped, 'input.gz'), { compression: 'none', format: 'bytes' }),
    );
    expect(Buffer.concat(raw)).toEqual(zipped);
  });

  test('decompresses large files from small reads', async () => {
    const items = Array.from(
      { length: 60_000 },
      (_, index) => `${index} ${(index * 2654435761) % 4294967296}`,
    );
    const path = fileWith(gzipSync(items.join('\n')), 'input.gz');
    expect(await itemsOf(new FileSource(path, { chunkBytes: 1000 }))).toEqual(items);
  });

  test('answers synchronously whatever is decoded or read already', async () => {
    const source = new FileSource(fileWith(numbered(50_000).join('\n')));
    await source.open(contextOf());
    let sync = 0;
    let async = 0;
    for (;;) {
      const answer = source.pull(100);
      if (answer instanceof Promise) async += 1;
      else sync += 1;
      const batch = await answer;
      if (batch === undefined) break;
    }
    await source.close();
    expect(sync).toBeGreaterThan(490);
    expect(async).toBeLessThan(10);
  });

  test('reads one chunk ahead of the one it decodes', async () => {
    let reads = 0;
    let third = (): void => {};
    const ahead = new Promise<void>((resolve) => {
      third = resolve;
    });
    const client = faultyLayer({
      read: () => {
        reads += 1;
        if (reads === 3) third();
      },
    });
    const source = new FileSource(fileWith('x'.repeat(9).concat('\n').repeat(1000)), {
      client,
      chunkBytes: 1000,
    });
    await source.open(contextOf());
    await source.pull(1);
    // The first bytes, the first chunk, the second; and no more than that, for the close waits for reads under way.
    await ahead;
    await source.close();
    expect(client.calls['read']).toBe(3);
  });

  test('gives the rest, exactly, from every position', async () => {
    const text = 'id,text\n'.concat(
      Array.from({ length: 60 }, (_, index) => `${index},"ü ""${index}\n"\r\n`).join(''),
    );
    for (const name of ['input.csv', 'input.csv.gz']) {
      const path = fileWith(name.endsWith('.gz') ? gzipSync(text) : text, name);
      const make = () => new FileSource(path, { format: 'csv', chunkBytes: 64 });
      const batches = await pullAll(make(), { demand: 1 });
      const all = batches.flatMap((batch) => batch.items);
      expect(all).toHaveLength(60);
      for (const [index, { lane, position }] of batches.entries()) {
        const rest = await pullAll(make(), { demand: 7, positions: new Map([[lane, position]]) });
        expect(rest.flatMap((batch) => batch.items)).toEqual(all.slice(index + 1));
        if (index < 60) expect(rest.at(-1)?.position.record).toBe(60);
        else expect(rest).toEqual([]);
      }
    }
  });

  test('passes by what it read to the end, and reads on where something was added', async () => {
    const folder = testFolder();
    const paths = ['a', 'b.gz'].map((name) => join(folder, name));
    writeFileSync(paths[0] as string, 'one\n');
    writeFileSync(paths[1] as string, gzipSync('two\n'));
    const batches = await pullAll(new FileSource(paths));
    const positions = new Map(batches.map((batch) => [batch.lane, batch.position]));
    const client = faultyLayer();
    expect(await itemsOf(new FileSource(paths, { client }), { positions })).toEqual([]);
    expect(client.calls['open']).toBeUndefined();
    writeFileSync(paths[0] as string, 'one\nthree\n');
    expect(await itemsOf(new FileSource(paths), { positions })).toEqual(['three']);
  });

  test('property: chunks, demand, compression and resumption make no difference', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.string({ unit: 'grapheme', maxLength: 12 }).map((text) => text.replaceAll(/[\r\n\uFEFF]/g, '')),
          { maxLength: 40 },
        ),
        fc.constantFrom('\n', '\r\n'),
        fc.boolean(),
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 9 }),
        fc.boolean(),
        fc.nat(),
        async (items, eol, terminated, chunkBytes, demand, zipped, cut) => {
          const text = items.join(eol) + (terminated && items.length > 0 ? eol : '');
          const expected = text === '' ? [] : terminated || items.at(-1) !== '' ? items : items.slice(0, -1);
          const path = fileWith(zipped ? gzipSync(text) : text);
          const batches = await pullAll(new FileSource(path, { chunkBytes }), { demand });
          expect(batches.flatMap((batch) => batch.items)).toEqual(expected);
          const from = batches[cut % batches.length] as Pulled<string>;
          const before = batches.slice(0, (cut % batches.length) + 1).flatMap((batch) => batch.items).length;
          const rest = await itemsOf(new FileSource(path, { chunkBytes }), {
            demand,
            positions: new Map([[from.lane, from.position]]),
          });
          expect(rest).toEqual(expected.slice(before));
        },
      ),
      { numRuns: 150 },
    );
  });

  test('compares positions: what is done lies behind what ends at the same byte', async () => {
    const source = new FileSource(fileWith('one\ntwo\n'));
    const [first, second, done] = (await pullAll(source, { demand: 1 })).map((batch) => batch.position);
    if (first === undefined || second === undefined || done === undefined) throw new Error('three positions');
    expect(source.comparePositions(first, second)).toBeLessThan(0);
    expect(source.comparePositions(done, second)).toBeGreaterThan(0);
    expect(source.comparePositions(first, first)).toBe(0);
  });

  test('can be opened again once it was closed', async () => {
    const source = new FileSource(fileWith('one\n'));
    expect(await itemsOf(source)).toEqual(['one']);
    expect(await itemsOf(source)).toEqual(['one']);
  });

  test('names a file in the failure of its format, and keeps the cause', async () => {
    const path = fileWith('{"a":1}\n{"secret":\n', 'input.ndjson');
    const failure = await failureOf(itemsOf(new FileSource(path, { format: 'ndjson', name: 'orders' })));
    expect(failure).toMatchObject({
      code: 'SW_FORMAT_INVALID_JSON',
      stage: 'orders',
      cause: { code: 'SW_FORMAT_INVALID_JSON', record: 2 },
    });
    expect(failure.message).toContain(path);
    expect(failure.message).not.toContain('secret');
  });

  test('refuses options that cannot work, when they are given', () => {
    const wrong =
      (options: object, paths: unknown = 'x') =>
      () =>
        new FileSource(paths as string, options);
    expect(wrong({}, '')).toThrow(/paths must be a string that is not empty/);
    expect(wrong({}, [])).toThrow(/paths/);
    expect(wrong({}, ['a', 1])).toThrow(/paths/);
    expect(wrong({ format: 'xml' })).toThrow(/format/);
    expect(wrong({ chunkBytes: 0 })).toThrow(/chunkBytes must be a whole number of at least 1, got 0/);
    expect(wrong({ compression: 'zip' })).toThrow(/compression/);
    expect(wrong({ maxLineByte: 1 })).toThrow(/maxLineByte/);
    expect(wrong({ maxLineBytes: 1.5 })).toThrow(/maxLineBytes/);
    expect(wrong({ gunzip: { maxRatios: 1 } })).toThrow(/maxRatios/);
    expect(wrong({ client: {} })).toThrow(/client.open/);
  });

  test('takes maxLineBytes for the formats it names, and a format’s own options otherwise', async () => {
    const path = fileWith('short\nmuch too long\n');
    expect((await failureOf(itemsOf(new FileSource(path, { maxLineBytes: 6 })))).code).toBe(
      'SW_FORMAT_LINE_TOO_LONG',
    );
    expect(
      await itemsOf(new FileSource(path, { format: lines({ maxLineBytes: 6, onLongLine: 'skip' }) })),
    ).toEqual(['short']);
  });
});

describe('FileSource.stop', () => {
  test('S9 settles a pull that waits for a slow disk, and close waits for the read before it closes', async () => {
    let release = (): void => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    let reached = (): void => {};
    const reading = new Promise<void>((resolve) => {
      reached = resolve;
    });
    const client = faultyLayer({
      read: () => {
        reached();
        return gate;
      },
    });
    const source = new FileSource(fileWith('one\n'), { client });
    await source.open(contextOf());
    const pull = source.pull(1);
    await reading;
    source.stop();
    expect(await pull).toBeUndefined();
    const closed = source.close();
    release();
    await closed;
    expect(client.open_).toBe(0);
  });

  test('S10 closes what an open under way brings, after an abort', async () => {
    const controller = new AbortController();
    let release = (): void => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    let reached = (): void => {};
    const opening = new Promise<void>((resolve) => {
      reached = resolve;
    });
    const client = faultyLayer({
      open: () => {
        reached();
        return gate.then(() => undefined) as never;
      },
    });
    const source = new FileSource(fileWith('one\n'), { client });
    await source.open(contextOf(undefined, controller.signal));
    const pull = source.pull(1);
    await opening;
    controller.abort(new Error('enough'));
    expect(await pull).toBeUndefined();
    const closed = source.close(controller.signal.reason);
    release();
    await closed;
    expect(client.calls['open']).toBe(1);
    expect(client.open_).toBe(0);
  });

  test('leaves no handle at any point of giving up', async () => {
    const folder = testFolder();
    for (const name of ['a', 'b.gz', 'c'])
      writeFileSync(
        join(folder, name),
        name === 'b.gz' ? gzipSync(numbered(3000).join('\n')) : numbered(3000).join('\n'),
      );
    for (let pulls = 0; pulls < 40; pulls += 1) {
      const source = new FileSource(`${folder}/*`, { chunkBytes: 4096 });
      await source.open(contextOf());
      for (let done = 0; done < pulls; done += 1) await source.pull(250);
      await source.close(new Error('enough'));
      expect(openFilesIn(folder)).toEqual([]);
    }
  });
});
