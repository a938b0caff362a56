import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { promises, readdirSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { FileSink, FileSource, type FileSystem } from '@streamweld/file';
import { describe, expect, onTestFinished, test } from 'vitest';
import { failureOf, itemsOf, testFolder, writeAll } from './driving.ts';
import { faultyLayer } from './file-layer.ts';
import { openContext } from './sink-driving.ts';

const onLinux = test.skipIf(process.platform !== 'linux');

interface Child {
  readonly process: ChildProcess;
  /** What it printed first. */
  readonly said: Promise<string>;
}

function holdLock(path: string): Child {
  const child = spawn(
    process.execPath,
    [
      '--conditions=@streamweld/source',
      '--import',
      'tsx',
      join(import.meta.dirname, 'children/hold-lock.ts'),
      path,
    ],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  onTestFinished(() => void child.kill('SIGKILL'));
  return { process: child, said: once(child.stdout, 'data').then(([data]) => String(data).trim()) };
}

async function ended({ process: child }: Child): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

async function lockFailure(path: string, client?: FileSystem): Promise<Error & { code?: string }> {
  const sink = new FileSink(path, client === undefined ? {} : { client });
  const failure = await failureOf(sink.open());
  await sink.close(failure);
  return failure;
}

/** The start of a process of that number, as the lock says it. */
function startIn(path: string): string {
  return readlinkSync(path).split(' ')[2] as string;
}

describe('the lock of FileSink', () => {
  onLinux(
    '[fault 49] refuses a second process, and takes over at once from one that was killed',
    async () => {
      const folder = testFolder();
      const path = join(folder, 'out');
      const first = holdLock(path);
      expect(await first.said).toBe('open');
      const second = holdLock(path);
      const refusal = JSON.parse(await second.said) as { code: string; message: string };
      expect(refusal.code).toBe('SW_FILE_LOCKED');
      expect(refusal.message).toContain(`process ${first.process.pid} on ${hostname()}`);
      expect((await lockFailure(path)).code).toBe('SW_FILE_LOCKED');
      first.process.kill('SIGKILL');
      await ended(first);
      expect(readdirSync(folder)).toContain('.out.lock');
      const third = holdLock(path);
      expect(await third.said).toBe('open');
      third.process.stdin?.write('go on\n');
      await ended(third);
      expect(readdirSync(folder).filter((name) => name.includes('lock'))).toEqual([]);
    },
    60_000,
  );

  test('refuses a second sink of this process, in each way of writing, and lets go at every end', async () => {
    const folder = testFolder();
    const path = join(folder, 'out');
    for (const [options, context] of [
      [{}, undefined],
      [{ append: true }, undefined],
      [{ fsync: 'batch' }, undefined],
      [{}, openContext()],
    ] as const) {
      for (const reason of [undefined, new Error('the run failed')]) {
        const sink = new FileSink(path, { ...options, name: 'first' });
        await sink.open(context);
        const failure = await lockFailure(path);
        expect(failure.code).toBe('SW_FILE_LOCKED');
        expect(failure.message).toContain(`another sink of this process (${process.pid})`);
        await sink.close(reason);
        expect(readdirSync(folder).filter((name) => name.includes('lock'))).toEqual([]);
      }
    }
  });

  test('is one for all files of a function or a template, by their root and name', async () => {
    const folder = testFolder();
    const make = (name?: string) =>
      new FileSink((item: string) => item, { root: folder, ...(name === undefined ? {} : { name }) });
    const first = make();
    await first.open();
    const second = make();
    const failure = await failureOf(second.open());
    await second.close(failure);
    expect(failure.message).toContain('a name or a root of their own');
    const other = make('other');
    await other.open();
    await other.close();
    await first.close();
    await second.open();
    await second.close();
  });

  test('is not matched by a glob', async () => {
    const folder = testFolder();
    const sink = new FileSink(join(folder, 'out'), { append: true });
    await sink.open();
    expect(readdirSync(folder)).toContain('.out.lock');
    expect(await itemsOf(new FileSource(join(folder, '**')))).toEqual([]);
    await sink.close();
  });

  onLinux('knows a process that has the number of the dead from the dead', async () => {
    const folder = testFolder();
    const path = join(folder, 'out');
    const lock = join(folder, '.out.lock');
    const sink = new FileSink(path);
    await sink.open();
    const start = startIn(lock);
    await sink.close();
    // Ours, but started at another time: the number was given to us later.
    symlinkSync(`gone ${process.pid} 1@boot ${hostname()}`, lock);
    await writeAll(new FileSink(path), [['one']]);
    // Living; of another host, which nothing is known about; and something that is not understood.
    for (const text of [
      `here ${process.pid} ${start} ${hostname()}`,
      `away 1 1@boot another-host`,
      `init 1 - ${hostname()}`,
      'what is this',
    ]) {
      symlinkSync(text, lock);
      expect((await lockFailure(path)).code, text).toBe('SW_FILE_LOCKED');
      expect(readlinkSync(lock)).toBe(text);
      await promises.unlink(lock);
    }
  });

  onLinux('is taken over by one of many, however their steps fall among each other', async () => {
    for (let round = 0; round < 150; round += 1) {
      const folder = testFolder();
      const path = join(folder, 'out');
      const lock = join(folder, '.out.lock');
      // Some were killed while they took over.
      symlinkSync(`aaaaaaaa0x0 ${process.pid} 1@boot ${hostname()}`, lock);
      for (let link = 1; link < round % 4; link += 1) {
        symlinkSync(`aaaaaaaa${link}x0 ${process.pid} 1@boot ${hostname()}`, `${lock}.aaaaaaaa${link - 1}x0`);
      }
      // And some when they had it, before they had cleared up.
      symlinkSync(`old ${process.pid} 1@boot ${hostname()}`, `${lock}.new`);
      symlinkSync(`old ${process.pid} 1@boot ${hostname()}`, `${lock}.bbbbbbbb1x1`);
      // Nothing else is cleared up: this is the ledger of a file called `out.lock`.
      writeFileSync(`${lock}.ledger`, '');
      let seed = round + 1;
      const pause = async (): Promise<void> => {
        seed = (seed * 48_271) % 2_147_483_647;
        for (let turns = seed % 4; turns > 0; turns -= 1)
          await new Promise((resolve) => setImmediate(resolve));
      };
      const client: FileSystem = {
        ...faultyLayer(),
        symlink: async (target, place) => {
          await pause();
          await promises.symlink(target, place);
        },
        readlink: async (place) => {
          await pause();
          const text = await promises.readlink(place);
          await pause();
          return text;
        },
        rename: async (from, to) => {
          await pause();
          await promises.rename(from, to);
        },
        unlink: async (place) => {
          await pause();
          await promises.unlink(place);
        },
      };
      let holding = 0;
      let most = 0;
      let won = 0;
      await Promise.all(
        Array.from({ length: 6 }, async () => {
          const sink = new FileSink(path, { client, append: true });
          try {
            await sink.open();
          } catch (error) {
            expect((error as { code: string }).code).toBe('SW_FILE_LOCKED');
            await sink.close(error);
            return;
          }
          holding += 1;
          won += 1;
          most = Math.max(most, holding);
          await pause();
          await pause();
          holding -= 1;
          await sink.close();
        }),
      );
      expect([most, won > 0]).toEqual([1, true]);
      expect(readdirSync(folder).filter((name) => name.includes('lock'))).toEqual(['.out.lock.ledger']);
    }
  });

  test('is a file where there are no links', async () => {
    const folder = testFolder();
    const path = join(folder, 'out');
    const { symlink: _, readlink: __, ...client } = faultyLayer();
    const sink = new FileSink(path, { client });
    await sink.open();
    expect((await lockFailure(path, client)).code).toBe('SW_FILE_LOCKED');
    expect((await lockFailure(path)).message).toContain(`this process (${process.pid})`);
    await sink.close();
    // Somebody was killed before it said who it is: nothing is known, so nothing is taken.
    writeFileSync(join(folder, '.out.lock'), '');
    const failure = await lockFailure(path, client);
    expect(failure.message).toContain('somebody who did not say who it is');
    expect(failure.message).toContain(join(folder, '.out.lock'));
  });
});
