/** Following, where nothing goes wrong: what is read, in which order, how it ends, and what it leaves behind. */

import { getEventListeners } from 'node:events';
import {
  appendFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { ConcurrentPipeline, collect, from } from '@streamweld/core';
import { installRuntime, type Runtime } from '@streamweld/core/connector';
import { type FilePosition, FileSink, FileSource } from '@streamweld/file';
import { lines } from '@streamweld/formats';
import { describe, expect, onTestFinished, test } from 'vitest';
import { contextOf, failureOf, openFilesIn, testFolder } from './driving.ts';
import { faultyLayer } from './file-layer.ts';
import { follow, lookedAt } from './following.ts';

function logIn(folder: string, content = '', name = 'app.log'): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

interface StoppedClock {
  now: number;
  /** How many are waiting. */
  readonly waits: number;
  /** Lets time pass, whenever the source is at rest. */
  pass(ms: number): Promise<void>;
  passUntil<R>(promise: Promise<R>): Promise<R>;
}

/** A clock that stands still until it is moved; waits end in real time, so that what waits looks at it again. */
function stoppedClock(): StoppedClock {
  const clock: StoppedClock = {
    now: 1000,
    get waits() {
      return waits.size;
    },
    async pass(ms) {
      for (let passed = 0; passed < ms; passed += 10) {
        do await new Promise((resolve) => setImmediate(resolve));
        while (waits.size === 0);
        clock.now += 10;
      }
    },
    async passUntil(promise) {
      let isOver = false;
      const settled = promise.finally(() => {
        isOver = true;
      });
      while (!isOver) {
        if (waits.size > 0) clock.now += 10;
        await new Promise((resolve) => setImmediate(resolve));
      }
      return settled;
    },
  };
  const waits = new Set<NodeJS.Timeout>();
  const standing: Runtime = {
    now: () => clock.now,
    setTimer: (callback) => {
      const timer = setTimeout(() => {
        waits.delete(timer);
        callback();
      }, 0);
      waits.add(timer);
      return timer;
    },
    clearTimer: (timer) => {
      waits.delete(timer as NodeJS.Timeout);
      clearTimeout(timer as NodeJS.Timeout);
    },
    random: () => 0,
    yield: setImmediate,
  };
  onTestFinished(installRuntime(standing));
  return clock;
}

describe('FileSource with follow', () => {
  test('reads what is there and what is written later, of files that come later too', async () => {
    const folder = testFolder();
    const glob = `${folder}/**/*.log`;
    const followed = await follow(glob);
    const first = followed.pull();
    mkdirSync(join(folder, 'deep'));
    const path = logIn(join(folder, 'deep'), 'one\ntwo\n');
    expect(await first).toEqual(['one', 'two']);
    appendFileSync(path, 'three\n');
    expect(await followed.take(1)).toEqual(['three']);
    logIn(folder, 'four\n', 'a.log');
    expect(await followed.take(1)).toEqual(['four']);
    expect([...followed.positions.keys()]).toEqual([path, join(folder, 'a.log')]);
  });

  test('waits for a path that does not exist yet, in a folder that does not either', async () => {
    const folder = testFolder();
    const path = join(folder, 'later', 'app.log');
    const followed = await follow(path);
    const first = followed.pull();
    mkdirSync(join(folder, 'later'));
    logIn(join(folder, 'later'), 'one\n');
    expect(await first).toEqual(['one']);
  });

  test('says where it stands in a file before it reads it, and of which incarnation that is', async () => {
    const path = logIn(testFolder(), 'one\n');
    const source = new FileSource(path, { follow: true });
    await source.open(contextOf());
    expect(await source.pull(9)).toMatchObject({
      items: [],
      lane: path,
      position: { offset: 0, incarnation: 0 },
    });
    expect(await source.pull(9)).toMatchObject({ items: ['one'], position: { offset: 4, record: 1 } });
    source.stop();
    await source.close();
  });

  test('takes turns between files that all have much, and answers synchronously within a chunk', async () => {
    const folder = testFolder();
    const paths = ['a', 'b'].map((name) => logIn(folder, `${name}\n`.repeat(1000), name));
    const source = new FileSource(paths, { follow: { pollMs: 1 }, chunkBytes: 200 });
    await source.open(contextOf());
    const turns: string[] = [];
    let sync = 0;
    for (let items = 0; items < 2000; ) {
      const answer = source.pull(10);
      if (!(answer instanceof Promise)) sync += 1;
      const batch = await answer;
      items += batch?.items.length ?? 0;
      if (batch !== undefined && batch.items.length > 0 && turns.at(-1) !== batch.lane) {
        turns.push(batch.lane as string);
      }
    }
    await source.close();
    expect(turns.length).toBeGreaterThan(15);
    expect(sync).toBeGreaterThan(150);
  });

  test('reads a file that was finished before its turn came', async () => {
    const clock = stoppedClock();
    const path = logIn(testFolder(), 'one\n');
    const followed = await follow(path, { client: lookedAt(path), follow: { pollMs: 1000 } });
    expect(await clock.passUntil(followed.take(1))).toEqual(['one']);
    renameSync(path, `${path}.1`);
    writeFileSync(path, 'two\n');
    expect(await clock.passUntil(followed.take(1))).toEqual(['two']);
    // Not at once, for the writer of the first may be late.
    expect(clock.now).toBeGreaterThanOrEqual(3000);
  });

  test('[fault 38] sees by its time alone that a file was written anew, with as many bytes', async () => {
    const clock = stoppedClock();
    const path = logIn(testFolder(), 'one\n');
    utimesSync(path, 1, 1);
    const client = lookedAt(path);
    const followed = await follow(path, { client, follow: { pollMs: 10 } });
    expect(await clock.passUntil(followed.take(1))).toEqual(['one']);
    const next = followed.pull();
    await clock.passUntil(client.looks(6));
    writeFileSync(path, 'two\n');
    expect(await clock.passUntil(next)).toEqual(['two']);
  });

  test('[fault 38] looks again where a change was so late that its time may not tell of the next', async () => {
    const clock = stoppedClock();
    const path = logIn(testFolder(), 'one\n');
    utimesSync(path, 1, 1);
    const followed = await follow(path, { client: lookedAt(path), follow: { pollMs: 10 } });
    expect(await clock.passUntil(followed.take(1))).toEqual(['one']);
    const next = followed.pull();
    // It was read to its end, and is at rest.
    while (clock.waits === 0) await new Promise((resolve) => setImmediate(resolve));
    writeFileSync(path, 'two\n');
    utimesSync(path, 1, 1);
    expect(await clock.passUntil(next)).toEqual(['two']);
  });

  test('reads a file once that has two names', async () => {
    const folder = testFolder();
    const path = logIn(folder, 'one\n', 'a.log');
    symlinkSync(path, join(folder, 'current.log'));
    const client = lookedAt(`${folder}/*.log`);
    const followed = await follow(`${folder}/*.log`, { client });
    expect(await followed.take(1)).toEqual(['one']);
    const next = followed.pull();
    await client.looks(3);
    appendFileSync(path, 'two\n');
    expect(await next).toEqual(['two']);
    expect(followed.positions.size).toBe(1);
  });

  test('leaves compressed files out, and says so once for each', async () => {
    const folder = testFolder();
    logIn(folder, '', 'a.log.gz');
    writeFileSync(join(folder, 'b.log'), gzipSync('compressed\n'));
    const path = logIn(folder, 'one\n', 'c.log');
    const client = lookedAt(`${folder}/*`);
    const followed = await follow(`${folder}/*`, { client });
    expect(await followed.take(1)).toEqual(['one']);
    const next = followed.pull();
    await client.looks(4);
    appendFileSync(join(folder, 'a.log.gz'), gzipSync('more\n'));
    await client.looks(4);
    appendFileSync(path, 'two\n');
    expect(await next).toEqual(['two']);
    expect(followed.notices).toEqual(['SW_FILE_GZIP_FOLLOWED', 'SW_FILE_GZIP_FOLLOWED']);
    const raw = await follow(join(folder, 'b.log'), {
      compression: 'none',
      format: lines({ invalidUtf8: 'replace' }),
    });
    expect(raw.notices).toEqual([]);
  });

  test('refuses options that cannot work beside follow, when they are given', () => {
    const wrong =
      (options: object, path = 'x') =>
      () =>
        new FileSource(path, { follow: true, ...options });
    expect(wrong({ compression: 'gzip' })).toThrow(/compression must be 'auto' or 'none' beside follow/);
    expect(wrong({}, 'logs/*.gz')).toThrow(/paths must be names that do not end in \.gz/);
    expect(wrong({ compression: 'none' }, 'x.gz')).not.toThrow();
    expect(wrong({ allowSpecial: true })).toThrow(/allowSpecial/);
    expect(wrong({ follow: 1 })).toThrow(/follow must be/);
    expect(wrong({ follow: { pollMs: -1 } })).toThrow(/follow\.pollMs must be a duration/);
    expect(wrong({ follow: { flushMs: '1' } })).toThrow(/follow\.flushMs/);
    expect(wrong({ follow: { maxOpen: 0 } })).toThrow(/follow\.maxOpen/);
    expect(wrong({ follow: { poll: 1 } })).toThrow(/poll/);
    expect(wrong({ onNotice: 'log' })).toThrow(/onNotice must be a function/);
  });

  test('fails where what it is to read is a folder, or is not what its format says, and closes', async () => {
    const folder = testFolder();
    const source = new FileSource(folder, { follow: true });
    expect((await failureOf(source.open(contextOf()))).code).toBe('SW_FILE_IS_DIRECTORY');
    await source.close();
    const path = logIn(folder, 'good\n');
    appendFileSync(path, Buffer.of(0xff, 10));
    const followed = await follow(path);
    expect(await followed.take(1)).toEqual(['good']);
    const failure = await failureOf(followed.pull());
    expect(failure).toMatchObject({ code: 'SW_FORMAT_INVALID_UTF8', cause: { offset: 5 } });
    expect(failure.message).toContain(path);
  });

  test('holds no more files open than it may, and goes on where it was in the others', async () => {
    const folder = testFolder();
    const names = Array.from({ length: 20 }, (_, index) => `${10 + index}`);
    for (const name of names) logIn(folder, `${name} one\n${name} ha`, name);
    const client = faultyLayer();
    const followed = await follow(`${folder}/*`, { client, follow: { pollMs: 1, maxOpen: 3 } });
    expect((await followed.take(20)).toSorted()).toEqual(names.map((name) => `${name} one`));
    for (const name of names) appendFileSync(join(folder, name), 'lf\n');
    expect((await followed.take(20)).toSorted()).toEqual(names.map((name) => `${name} half`));
    expect(client.mostOpen).toBeLessThanOrEqual(3);
  });
});

describe('FileSource with follow and recordStart', () => {
  const records = lines({ recordStart: /^\d/ });

  test('hands out a record when the next one begins', async () => {
    const path = logIn(testFolder(), '1 a\n b\n');
    const client = lookedAt(path);
    const followed = await follow(path, { client, format: records, follow: { pollMs: 1, flushMs: 1e9 } });
    const first = followed.pull();
    await client.looks(4);
    appendFileSync(path, ' c\n');
    await client.looks(4);
    appendFileSync(path, '2 d\n');
    expect(await first).toEqual(['1 a\n b\n c']);
    expect(followed.positions.get(path)).toMatchObject({ offset: 10, record: 1 });
  });

  test('hands out the last one when nothing was added for flushMs, without half a line', async () => {
    const clock = stoppedClock();
    const path = logIn(testFolder(), '1 a\n b\n hal');
    const client = lookedAt(path);
    const followed = await follow(path, { client, format: records, follow: { pollMs: 10, flushMs: 500 } });
    const first = followed.pull();
    await clock.pass(490);
    appendFileSync(path, 'f\n c');
    await clock.passUntil(client.looks(2));
    await clock.pass(400);
    expect(followed.positions.get(path)?.offset).toBe(0);
    expect(await clock.passUntil(first)).toEqual(['1 a\n b\n half']);
    expect(clock.now).toBeGreaterThanOrEqual(1990);
    const second = followed.pull();
    appendFileSync(path, '\n2 d\n');
    expect(await clock.passUntil(second)).toEqual([' c']);
    const rest = await follow(path, { format: records, positions: await followed.stop() });
    appendFileSync(path, '3\n');
    expect(await clock.passUntil(rest.pull())).toEqual(['2 d']);
  });

  test('and that too where its handle was needed for other files meanwhile', async () => {
    const folder = testFolder();
    const [a, b] = ['a', 'b'].map((name) => logIn(folder, `1 ${name}\n x\n`, name)) as [string, string];
    const followed = await follow([a, b], { format: records, follow: { pollMs: 1, flushMs: 3, maxOpen: 1 } });
    expect((await followed.take(2)).toSorted()).toEqual(['1 a\n x', '1 b\n x']);
  });
});

describe('FileSource.stop and close, while it follows', () => {
  test('S9 settles the outstanding pull at once, and leaves half a line for the next run', async () => {
    const folder = testFolder();
    const path = logIn(folder, 'one\nhal');
    const client = lookedAt(path);
    const followed = await follow(path, { client, follow: { pollMs: 1e9 } });
    expect(await followed.take(1)).toEqual(['one']);
    const pull = followed.pull();
    const positions = await followed.stop();
    expect(await pull).toBeUndefined();
    expect(positions.get(path)).toMatchObject({ offset: 4 });
    expect(openFilesIn(folder)).toEqual([]);
    appendFileSync(path, 'f\n');
    expect(await (await follow(path, { positions })).take(1)).toEqual(['half']);
  });

  test('S10 leaves no handle, timer, watch or listener after an abort, at any point', async () => {
    const folder = testFolder();
    logIn(folder, 'a\n'.repeat(300), 'a.log');
    logIn(folder, 'b\n'.repeat(300), 'b.log');
    const clock = stoppedClock();
    for (let pulls = 0; pulls < 16; pulls += 1) {
      const controller = new AbortController();
      const layer = faultyLayer();
      let watches = 0;
      const client = Object.assign(layer, {
        watchFolder: () => {
          watches += 1;
          return {
            close: () => {
              watches -= 1;
            },
          };
        },
      });
      const source = new FileSource(`${folder}/*`, { client, chunkBytes: 64, follow: { pollMs: 5 } });
      await source.open(contextOf(undefined, controller.signal));
      expect(watches).toBe(1);
      expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1);
      for (let done = 0; done < pulls; done += 1) await source.pull(50);
      const late = source.pull(pulls % 2 === 0 ? 50 : 1);
      controller.abort(new Error('enough'));
      await late;
      await source.close(controller.signal.reason);
      expect([layer.open_, watches, clock.waits]).toEqual([0, 0, 0]);
      expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
    }
  });

  test('S10 clears the timer of a wait at once', async () => {
    const clock = stoppedClock();
    const controller = new AbortController();
    const source = new FileSource(logIn(testFolder()), { follow: { pollMs: 1e6 } });
    await source.open(contextOf(undefined, controller.signal));
    await source.pull(1);
    const late = source.pull(1);
    while (clock.waits === 0) await new Promise((resolve) => setImmediate(resolve));
    controller.abort(new Error('enough'));
    expect(clock.waits).toBe(0);
    expect(await late).toBeUndefined();
    await source.close(controller.signal.reason);
  });

  test('does nothing between two pulls', async () => {
    const path = logIn(testFolder(), 'one\n');
    const clock = stoppedClock();
    const client = lookedAt(path);
    const followed = await follow(path, { client });
    await followed.take(1);
    const calls = { ...client.calls };
    clock.now += 1e6;
    client.hint();
    for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(client.calls).toEqual(calls);
    expect(clock.waits).toBe(0);
  });

  test('can be opened again once it was closed', async () => {
    const path = logIn(testFolder(), 'one\n');
    const source = new FileSource(path, { follow: { pollMs: 1 } });
    for (let again = 0; again < 2; again += 1) {
      await source.open(contextOf());
      expect((await source.pull(9))?.items).toEqual([]);
      expect((await source.pull(9))?.items).toEqual(['one']);
      await source.close();
    }
  });
});

describe('ConcurrentPipeline with a source that follows', () => {
  test('ends at a drain, and goes on from where it was', async () => {
    const folder = testFolder();
    const path = logIn(folder, 'one\ntwo\n');
    let positions: ReadonlyMap<string, FilePosition> = new Map();
    const run = async (until: string): Promise<string[]> => {
      const source = new FileSource(path, { follow: { pollMs: 1 } });
      // As a checkpoint would: this run begins where the last one ended.
      const open = source.open.bind(source);
      source.open = (context) => open({ ...context, positions });
      const sink = collect<string>();
      const pipeline = new ConcurrentPipeline(
        from(source).tap((line) => {
          if (line === until) void pipeline.drain();
        }),
        sink,
      );
      const report = await pipeline.run();
      expect(report.outcome).toBe('drained');
      positions = report.positions as ReadonlyMap<string, FilePosition>;
      return [...sink.items];
    };
    expect(await run('two')).toEqual(['one', 'two']);
    appendFileSync(path, 'three\nfour\nfi');
    expect(await run('four')).toEqual(['three', 'four']);
    expect(positions.get(path)).toMatchObject({ offset: 19, record: 4 });
  });

  test('copies a file that grows into another, whole', async () => {
    const folder = testFolder();
    const path = logIn(folder);
    const pipeline = new ConcurrentPipeline(
      from(new FileSource(path, { follow: { pollMs: 1 } })).tap((line) => {
        const next = Number(line) + 1;
        if (next < 200) appendFileSync(path, `${next}\n`);
        else void pipeline.drain();
      }),
      new FileSink(join(folder, 'copy')),
    ).bufferSize(8);
    appendFileSync(path, '0\n');
    await pipeline.run();
    expect(readFileSync(join(folder, 'copy'), 'utf8')).toBe(readFileSync(path, 'utf8'));
  });
});
