/** FileSource and FileSink where they belong: in a run. */

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import {
  ConcurrentPipeline,
  collect,
  DispatchedPipelineBuilder,
  from,
  MemoryCheckpointStore,
  range,
} from '@streamweld/core';
import { type FilePosition, FileSink, FileSource } from '@streamweld/file';
import { describe, expect, test } from 'vitest';
import { failureOf, testFolder } from './driving.ts';
import { faultyLayer, systemError } from './file-layer.ts';

interface Order {
  readonly id: number;
  readonly country: string;
}

const COUNTRIES = ['de', 'fr', 'it', 'pt'];
const orders = (count: number): Order[] =>
  Array.from({ length: count }, (_, id) => ({ id, country: COUNTRIES[(id * 7) % 4] as string }));

describe('ConcurrentPipeline with files', () => {
  test('keeps the position behind lines that were dropped or bad, and comes to nothing twice', async () => {
    const folder = testFolder();
    writeFileSync(join(folder, 'in.log'), 'one\ntwo\nbad\nnever\n');
    const store = new MemoryCheckpointStore();
    const run = () =>
      new ConcurrentPipeline(
        from(new FileSource(join(folder, 'in.log')))
          .filter((line) => line !== 'never')
          .map(
            (line) => {
              if (line === 'bad') throw new Error('it is bad');
              return line;
            },
            { onError: 'deadLetter' },
          ),
        new FileSink(join(folder, 'out.log')),
      )
        .bufferSize(4)
        .deadLetter(new FileSink(join(folder, 'bad.ndjson'), { format: 'ndjson' }))
        .checkpoint(store, 'copy')
        .run();
    expect(await run()).toMatchObject({ read: 4, written: 2, deadLettered: 1, dropped: 0 });
    expect(await run()).toMatchObject({ read: 0, written: 0, deadLettered: 0 });
    expect(readFileSync(join(folder, 'out.log'), 'utf8')).toBe('one\ntwo\n');
    expect(readFileSync(join(folder, 'bad.ndjson'), 'utf8').split('\n')).toHaveLength(2);
  });

  test('copies files, plain and compressed, and reports where each lane stands', async () => {
    const folder = testFolder();
    mkdirSync(join(folder, 'in'));
    const all = orders(30_000);
    for (const name of ['a', 'b']) {
      await new ConcurrentPipeline(
        all.filter((order) => (order.id % 2 === 0) === (name === 'a')),
        new FileSink<Order>(join(folder, `in/${name}.ndjson.gz`), { format: 'ndjson' }),
      ).run();
    }
    const source = new FileSource<Order>(join(folder, 'in/*.gz'), { format: 'ndjson' });
    const report = await new ConcurrentPipeline(
      source,
      new FileSink(join(folder, 'out.csv'), { format: 'csv' }),
    ).run();
    expect(report).toMatchObject({ read: 30_000, written: 30_000 });
    const positions = [...report.positions] as [string, FilePosition][];
    expect(positions.map(([lane, { record, done }]) => [lane, record, done])).toEqual([
      [join(folder, 'in/a.ndjson.gz'), 15_000, true],
      [join(folder, 'in/b.ndjson.gz'), 15_000, true],
    ]);
    const rows = readFileSync(join(folder, 'out.csv'), 'utf8').split('\n');
    expect(rows.slice(0, 3)).toEqual(['id,country', '0,de', '2,it']);
    expect(rows).toHaveLength(30_002);
    expect(readdirSync(folder).sort()).toEqual(['in', 'out.csv']);
  });

  test('passes empty files and a last line without an end', async () => {
    const folder = testFolder();
    for (const [name, content] of Object.entries({ a: '', b: 'one\ntwo', c: '', d: '\n' }))
      writeFileSync(join(folder, name), content);
    const sink = collect<string>();
    const report = await new ConcurrentPipeline(new FileSource(`${folder}/*`), sink).bufferSize(2).run();
    expect(sink.items).toEqual(['one', 'two', '']);
    expect([...report.positions.values()].every((position) => (position as FilePosition).done)).toBe(true);
  });

  test('flushes in the middle where too much is accepted and not durable, and stays one file', async () => {
    const path = join(testFolder(), 'out');
    const client = faultyLayer();
    await new ConcurrentPipeline(from(range(0, 10_000)).map(String), new FileSink(path, { client }))
      .maxUncommitted(1000)
      .run();
    expect(client.calls['datasync']).toBeGreaterThan(8);
    expect(readFileSync(path, 'utf8').split('\n')).toHaveLength(10_001);
  });

  test('leaves nothing where the source fails, and says which file', async () => {
    const folder = testFolder();
    writeFileSync(join(folder, 'in.ndjson'), `${'{"id":1}\n'.repeat(5000)}{oops\n`);
    const sink = new FileSink(join(folder, 'out'), { format: 'ndjson', bufferBytes: 1000 });
    const failure = await failureOf(
      new ConcurrentPipeline(new FileSource(join(folder, 'in.ndjson'), { format: 'ndjson' }), sink).run(),
    );
    expect(failure.message).toContain(join(folder, 'in.ndjson'));
    expect(failure.message).not.toContain('oops');
    expect(readdirSync(folder)).toEqual(['in.ndjson']);
  });

  test('rejects with the code of the disk where the sink fails', async () => {
    const folder = testFolder();
    let fired = 0;
    const client = faultyLayer({
      write: async () => {
        fired += 1;
        throw systemError('ENOSPC');
      },
    });
    const run = new ConcurrentPipeline(
      from(range(0, 100_000)).map(String),
      new FileSink(join(folder, 'out'), { client, bufferBytes: 1000 }),
    ).run();
    expect(await failureOf(run)).toMatchObject({
      code: 'SW_FILE_NO_SPACE',
      stage: `file ${join(folder, 'out')}`,
    });
    expect(fired).toBeGreaterThan(0);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('rejects before the first item where the source or the target cannot be opened', async () => {
    const folder = testFolder();
    const missing = new FileSource(join(folder, 'missing'));
    expect(
      (await failureOf(new ConcurrentPipeline(missing, new FileSink(join(folder, 'out'))).run())).code,
    ).toBe('SW_FILE_NOT_FOUND');
    expect((await failureOf(new ConcurrentPipeline(['x'], new FileSink(folder)).run())).code).toBe(
      'SW_FILE_IS_DIRECTORY',
    );
    expect(readdirSync(folder)).toEqual([]);
  });

  test('leaves nothing where the run is aborted', async () => {
    const folder = testFolder();
    writeFileSync(join(folder, 'in'), 'line\n'.repeat(200_000));
    for (const count of [1, 999, 20_000, 100_000, 190_000]) {
      const controller = new AbortController();
      const sink = new FileSink((line: string) => `${line}/out.gz`, {
        root: join(folder, 'to'),
        bufferBytes: 1000,
      });
      let seen = 0;
      const lines = from(new FileSource(join(folder, 'in'))).tap(() => {
        seen += 1;
        if (seen === count) controller.abort(new Error('enough'));
      });
      const run = new ConcurrentPipeline(lines, sink).maxUncommitted(1e9).run({ signal: controller.signal });
      const outcome = await run.then(
        () => 'completed',
        (error: Error) => error.message,
      );
      expect(outcome).toBe('enough');
      if (existsSync(join(folder, 'to/line'))) expect(readdirSync(join(folder, 'to/line'))).toEqual([]);
    }
  });

  test('ends an endless source at a drain, with all that was read in the file', async () => {
    const folder = testFolder();
    writeFileSync(join(folder, 'in'), 'line\n'.repeat(3_000_000));
    let seen = 0;
    const pipeline = new ConcurrentPipeline(
      from(new FileSource(join(folder, 'in'))).tap(() => {
        seen += 1;
        if (seen === 100_000) void pipeline.drain();
      }),
      new FileSink(join(folder, 'out')),
    );
    const report = await pipeline.run();
    expect(report.outcome).toBe('drained');
    expect(report.read).toBeLessThan(3_000_000);
    expect(readFileSync(join(folder, 'out'), 'utf8')).toBe('line\n'.repeat(report.read));
  });
});

describe('A dispatcher with files', () => {
  test('writes a compressed file for each partition, in order', async () => {
    const folder = testFolder();
    const all = orders(20_000);
    const dispatcher = new DispatchedPipelineBuilder<Order>().partition(COUNTRIES, (order) => order.country);
    for (const country of COUNTRIES) {
      await dispatcher.subscribeSink(
        new FileSink<Order>(join(folder, `${country}.ndjson.gz`), { format: 'ndjson' }),
        country,
      );
    }
    await new ConcurrentPipeline(all, dispatcher.createSink(500)).run();
    for (const country of COUNTRIES) {
      const expected = all
        .filter((order) => order.country === country)
        .map((order) => `${JSON.stringify(order)}\n`);
      expect(gunzipSync(readFileSync(join(folder, `${country}.ndjson.gz`))).toString()).toBe(
        expected.join(''),
      );
    }
    expect(readdirSync(folder)).toHaveLength(4);
  });
});
