import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { installRuntime, type Runtime } from '@streamweld/core/connector';
import { FileSink } from '@streamweld/file';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { durableOf, failureOf, testFolder, until, writeAll } from './driving.ts';
import { faultyLayer, systemError } from './file-layer.ts';
import { contentOf, openContext, writeContext, writeOnce } from './sink-driving.ts';

const lines = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, index) => `line ${from + index}`);
const textOf = (items: readonly string[]): string => items.map((item) => `${item}\n`).join('');

/** Timers that go off when the test says so. */
function handClock(): { goOff(): void; readonly waits: number[] } {
  const timers = new Map<number, () => void>();
  const waits: number[] = [];
  let last = 0;
  const clock: Runtime = {
    now: () => 0,
    setTimer: (callback, ms) => {
      timers.set((last += 1), callback);
      waits.push(ms);
      return last;
    },
    clearTimer: (timer) => timers.delete(timer as number),
    random: () => Math.random(),
    yield: (callback) => setImmediate(callback),
  };
  onTestFinished(installRuntime(clock));
  return {
    waits,
    goOff() {
      const due = [...timers.values()];
      timers.clear();
      for (const callback of due) callback();
    },
  };
}

describe('FileSink that rolls', () => {
  test.each(['close', 'batch', 'never'] as const)(
    'begins a new file after so many items (%s)',
    async (fsync) => {
      const folder = testFolder();
      const path = join(folder, 'out-{sequence}.log');
      await writeAll(new FileSink(path, { roll: { maxItems: 4 }, fsync }), [
        lines(0, 3),
        lines(3, 11),
        lines(11, 12),
      ]);
      expect(contentOf(folder)).toEqual({
        'out-000001.log': textOf(lines(0, 4)),
        'out-000002.log': textOf(lines(4, 8)),
        'out-000003.log': textOf(lines(8, 12)),
      });
      // Numbers go on: nothing is written over.
      await writeAll(new FileSink(path, { roll: { maxItems: 4 }, fsync }), [lines(0, 1)]);
      expect(contentOf(folder)['out-000004.log']).toBe('line 0\n');
      await writeAll(new FileSink(path, { roll: { maxItems: 4 }, fsync }), []);
      expect(readdirSync(folder)).toHaveLength(4);
    },
  );

  test.each([[undefined], ['run']])(
    'keeps parts at no more bytes than it may, but for one item (%s)',
    async (checkpoint) => {
      const folder = testFolder();
      const items = Array.from({ length: 200 }, (_, index) => 'x'.repeat((index * 7919) % 90));
      items[50] = 'y'.repeat(500);
      const sink = new FileSink(join(folder, 'out-{sequence}'), { roll: { maxBytes: 100 }, bufferBytes: 64 });
      await sink.open(checkpoint === undefined ? undefined : openContext(checkpoint));
      for (let from = 0; from < items.length; from += 33) {
        await sink.write(items.slice(from, from + 33), writeContext({ lane: from }));
      }
      await sink.close();
      const parts = Object.values(contentOf(folder));
      expect(parts.join('')).toBe(textOf(items));
      for (const [index, part] of parts.entries()) {
        const first = part.slice(0, part.indexOf('\n') + 1);
        expect(part.length).toBeGreaterThan(0);
        if (part.length > 100) expect(part).toBe(first);
        // Each part took what it could: the first item of the next would not have fitted.
        const next = parts[index + 1];
        if (next !== undefined) expect(part.length + next.indexOf('\n') + 1).toBeGreaterThan(100);
      }
    },
  );

  test('counts the bytes of gzip as they are in the file, and begins each part of a CSV with its header', async () => {
    const folder = testFolder();
    const rows = Array.from({ length: 3000 }, (_, id) => ({ id, text: `${(id * 7919) % 100_003}` }));
    const sink = new FileSink<{ id: number; text: string }>(join(folder, 'out-{sequence}.csv.gz'), {
      format: 'csv',
      roll: { maxBytes: 2000 },
      bufferBytes: 1000,
    });
    await sink.open();
    for (let from = 0; from < rows.length; from += 10) await sink.write(rows.slice(from, from + 10));
    await sink.close();
    const parts = Object.entries(contentOf(folder));
    expect(parts.length).toBeGreaterThan(3);
    expect(parts.map(([, text]) => text.replace('id,text\n', '')).join('')).toBe(
      rows.map(({ id, text }) => `${id},${text}\n`).join(''),
    );
    for (const [name, text] of parts) {
      expect(text.startsWith('id,text\n')).toBe(true);
      expect(statSync(join(folder, name)).size).toBeLessThan(4000);
    }
  });

  test('shows a part when it is full, whole and durable, before the run has ended', async () => {
    const folder = testFolder();
    const client = faultyLayer();
    const sink = new FileSink(join(folder, 'out-{sequence}'), { roll: { maxItems: 2 }, client });
    await sink.open();
    const first = durableOf(await sink.write(['a']));
    let isDurable = false;
    void first.then(() => {
      isDurable = true;
    });
    const second = durableOf(await sink.write(['b', 'c']));
    await first;
    expect(contentOf(folder)['out-000001']).toBe('a\nb\n');
    expect(client.calls['datasync']).toBe(1);
    expect(isDurable).toBe(true);
    await sink.flush();
    await second;
    await sink.close(new Error('the run failed'));
    // What a flush promised is kept; the part that was shown stays.
    const [kept, ...shown] = readdirSync(folder).sort();
    expect(shown).toEqual(['out-000001']);
    expect(readFileSync(join(folder, kept as string), 'utf8')).toBe('c\n');
  });

  test.each(['close', 'batch'] as const)(
    '[fault 94] rolls by a clock that does not jump (%s)',
    async (fsync) => {
      const folder = testFolder();
      const clock = handClock();
      const sink = new FileSink(join(folder, 'out-{sequence}'), { roll: { everyMs: 60_000 }, fsync });
      await sink.open();
      expect(clock.waits).toEqual([]);
      await sink.write(['a']);
      await sink.write(['b']);
      // From the first item on: one timer for each part.
      expect(clock.waits).toEqual([60_000]);
      clock.goOff();
      await until(() => readdirSync(folder).includes('out-000001'));
      await sink.write(['c']);
      expect(clock.waits).toEqual([60_000, 60_000]);
      await sink.close();
      clock.goOff();
      expect(contentOf(folder)).toEqual({ 'out-000001': 'a\nb\n', 'out-000002': 'c\n' });
    },
  );

  test('rolls by time with a checkpoint, and what was rolled may then be taken away', async () => {
    const folder = testFolder();
    const clock = handClock();
    const make = () => new FileSink(join(folder, 'out-{sequence}'), { roll: { everyMs: 1000 } });
    const sink = make();
    await sink.open(openContext());
    await sink.write(['a'], writeContext({ lane: 1 }));
    clock.goOff();
    await sink.flush();
    await sink.close();
    rmSync(join(folder, 'out-000001'));
    await writeOnce(make(), [['b']], 1);
    expect(contentOf(folder)).toEqual({ 'out-000002': 'b\n' });
  });

  test('numbers the parts of each path that a function answers', async () => {
    const folder = testFolder();
    const sink = new FileSink((item: string) => `${item[0]}/{sequence}.log`, {
      root: folder,
      roll: { maxItems: 2 },
    });
    await writeAll(sink, [
      ['a1', 'b1', 'a2'],
      ['a3', 'b2', 'b3'],
    ]);
    expect(contentOf(folder)).toEqual({
      'a/000001.log': 'a1\na2\n',
      'a/000002.log': 'a3\n',
      'b/000001.log': 'b1\nb2\n',
      'b/000002.log': 'b3\n',
    });
    const other = new FileSink((item: string) => item, {
      root: folder,
      roll: { maxItems: 2 },
      name: 'other',
    });
    await other.open();
    expect(await failureOf((async () => other.write(['x']))())).toMatchObject({
      code: 'SW_FILE_PATH_INVALID',
      failed: [0],
    });
    await other.close();
  });

  test('goes on with the last part, and its number, across runs; what lies beyond the ledger is removed', async () => {
    for (const ending of ['', '.gz']) {
      const folder = testFolder();
      const path = join(folder, `out-{sequence}${ending}`);
      const make = () => new FileSink(path, { roll: { maxItems: 3 } });
      await writeOnce(make(), [lines(0, 2), lines(2, 7)]);
      const kept = readFileSync(join(folder, `out-000003${ending}`));
      const sink = make();
      await sink.open(openContext());
      await sink.write(lines(7, 8), writeContext({ lane: 3 }));
      await sink.close();
      await writeOnce(make(), [lines(8, 13)], 3);
      const expected: Record<string, string> = {};
      for (let part = 0; part < 5; part += 1) {
        expected[`out-00000${part + 1}${ending}`] = textOf(lines(3 * part, Math.min(3 * part + 3, 13)));
      }
      expect(contentOf(folder)).toEqual(expected);
      expect(kept.length).toBeGreaterThan(0);
    }
  });

  test('removes the parts of a write that failed, and numbers on where it is repeated', async () => {
    const folder = testFolder();
    let isFailing = false;
    let fired = 0;
    const client = faultyLayer({
      write: async (path) => {
        if (!isFailing || !path.endsWith('3')) return;
        fired += 1;
        throw systemError('ENOSPC');
      },
    });
    const sink = new FileSink(join(folder, 'out-{sequence}'), { roll: { maxItems: 2 }, client });
    await sink.open(openContext());
    await sink.write(lines(0, 1), writeContext({ lane: 1 }));
    isFailing = true;
    const failure = await failureOf((async () => sink.write(lines(1, 6), writeContext({ lane: 2 })))());
    expect(failure.code).toBe('SW_FILE_NO_SPACE');
    expect(fired).toBe(1);
    expect(contentOf(folder)).toEqual({ 'out-000001': 'line 0\n' });
    isFailing = false;
    await sink.write(lines(1, 6), writeContext({ lane: 2 }, 2));
    await sink.close();
    expect(Object.values(contentOf(folder)).join('')).toBe(textOf(lines(0, 6)));
    expect(Object.keys(contentOf(folder))).toEqual(['out-000001', 'out-000002', 'out-000003']);
  });

  test('does not count on with a checkpoint behind parts that are not its own, unless it is told to', async () => {
    const folder = testFolder();
    writeFileSync(join(folder, 'out-000007'), 'other\n');
    const path = join(folder, 'out-{sequence}');
    const sink = new FileSink(path, { roll: { maxItems: 2 } });
    const failure = await failureOf(writeOnce(sink, [['a']]));
    await sink.close(failure);
    expect(failure).toMatchObject({ code: 'SW_FILE_OCCUPIED', path: join(folder, 'out-000007') });
    await writeOnce(new FileSink(path, { roll: { maxItems: 2 }, append: true }), [['a']]);
    await writeOnce(new FileSink(path, { roll: { maxItems: 2 }, append: true }), [['b', 'c']], 1);
    expect(contentOf(folder)).toEqual({
      'out-000007': 'other\n',
      'out-000008': 'a\nb\n',
      'out-000009': 'c\n',
    });
  });

  test('tries again to finish a part where it failed, before it takes anything new', async () => {
    const folder = testFolder();
    let fired = 0;
    const client = faultyLayer({
      rename: (_from, to) => {
        if (!to.endsWith('000001') || fired > 1) return;
        fired += 1;
        throw systemError('EACCES');
      },
    });
    const sink = new FileSink(join(folder, 'out-{sequence}'), { roll: { maxItems: 2 }, client });
    await sink.open();
    await sink.write(['a', 'b']);
    await until(() => fired === 1);
    expect((await failureOf((async () => sink.write(['c']))())).code).toBe('SW_FILE_DENIED');
    expect(fired).toBe(2);
    await sink.write(['c']);
    await sink.close();
    expect(contentOf(folder)).toEqual({ 'out-000001': 'a\nb\n', 'out-000002': 'c\n' });
  });

  test('property: every item is in one part, in order, however parts are cut and whatever fails', async () => {
    let fired = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.nat(60), { minLength: 1, maxLength: 9 }), { maxLength: 7 }),
        fc.record({
          maxItems: fc.integer({ min: 1, max: 9 }),
          maxBytes: fc.integer({ min: 1, max: 150 }),
        }),
        fc.record({
          bufferBytes: fc.integer({ min: 1, max: 200 }),
          maxBufferedBytes: fc.integer({ min: 1, max: 500 }),
          // Mostly without a sync, which takes most of the time and makes no difference to what is where.
          fsync: fc.constantFrom('batch' as const, 'close' as const, 'never' as const, 'never' as const),
          maxOpen: fc.integer({ min: 1, max: 3 }),
        }),
        fc.boolean(),
        fc.integer({ min: 2, max: 9 }),
        async (batches, roll, options, isZipped, failEvery) => {
          const folder = testFolder();
          let operations = 0;
          let isWell = false;
          // Rarer and rarer: what needs many operations at once would never succeed.
          let every = failEvery;
          const fail = (): void => {
            operations += 1;
            if (isWell || operations % every > 0) return;
            every *= 2;
            fired += 1;
            throw systemError('ENOSPC');
          };
          const client = faultyLayer({ write: async () => fail(), rename: fail });
          const ending = isZipped ? '.gz' : '';
          const sink = new FileSink((item: string) => `${item[0]}-{sequence}${ending}`, {
            root: folder,
            roll,
            client,
            ...options,
          });
          const repeating = async (action: () => unknown): Promise<void> => {
            for (let attempt = 0; attempt < 500; attempt += 1) {
              try {
                await action();
                return;
              } catch (error) {
                expect((error as { code: string }).code).toBe('SW_FILE_NO_SPACE');
              }
            }
            throw new Error('it never succeeded');
          };
          await sink.open();
          let number = 0;
          const items: string[] = [];
          for (const batch of batches) {
            const some = batch.map((size) => `${'ab'[((number += 1)) % 2]} ${number} ${'x'.repeat(size)}`);
            await repeating(() => sink.write(some));
            items.push(...some);
            if (number % 3 === 0) await repeating(() => sink.flush());
          }
          await repeating(() => sink.flush());
          isWell = true;
          await sink.close();
          const content = contentOf(folder);
          for (const to of ['a', 'b']) {
            const parts = Object.entries(content).filter(([name]) => name.startsWith(to));
            expect(parts.map(([, text]) => text).join('')).toBe(
              textOf(items.filter((item) => item.startsWith(to))),
            );
            expect(parts.map(([name]) => name)).toEqual(
              parts.map((_, index) => `${to}-${String(index + 1).padStart(6, '0')}${ending}`),
            );
            for (const [, text] of parts) {
              const count = text.split('\n').length - 1;
              expect(count).toBeGreaterThan(0);
              expect(count).toBeLessThanOrEqual(roll.maxItems);
              if (!isZipped && count > 1) expect(text.length).toBeLessThanOrEqual(roll.maxBytes);
            }
          }
          expect(client.open_).toBe(0);
        },
      ),
      { numRuns: 80, plugins: [fc.timeout(20_000)] },
    );
    expect(fired).toBeGreaterThan(40);
  }, 60_000);
});
