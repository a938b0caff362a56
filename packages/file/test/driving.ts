/** Driving a source and a sink by their contracts, as a run would, and looking for what they leave behind. */

import { mkdtempSync, readdirSync, readlinkSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Accepted, SourceContext } from '@streamweld/core';
import type { FilePosition, FileSink, FileSource } from '@streamweld/file';
import { expect, onTestFinished } from 'vitest';

/** A folder for one test. When the test is over, no file in it may be open. */
export function testFolder(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'streamweld-file-')));
  onTestFinished(() => {
    const open = openFilesIn(folder);
    rmSync(folder, { recursive: true, force: true });
    expect(open, 'files left open').toEqual([]);
  });
  return folder;
}

/** What this process has open below a folder; where there is no /proc, nothing is known. */
export function openFilesIn(folder: string): string[] {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`);
      return path.startsWith(folder) ? [path] : [];
    } catch {
      return [];
    }
  });
}

export type Positions = ReadonlyMap<string, FilePosition>;

export function contextOf(
  positions: Positions = new Map(),
  signal: AbortSignal = new AbortController().signal,
): SourceContext<FilePosition> {
  return {
    positions,
    signal,
    settled: () => Promise.resolve(),
    endLane: () => {},
    fail: (error) => {
      throw error;
    },
  };
}

export interface Pulled<T> {
  readonly items: readonly T[];
  readonly lane: string;
  readonly position: FilePosition;
}

/** Opens, pulls to the end, closes, whatever happens. The batches up to a failure are kept in `seen`. */
export async function pullAll<T>(
  source: FileSource<T>,
  {
    demand = 1000,
    positions,
    seen = [],
  }: { demand?: number | (() => number); positions?: Positions; seen?: Pulled<T>[] } = {},
): Promise<Pulled<T>[]> {
  let failure: { reason: unknown } | undefined;
  try {
    await source.open(contextOf(positions));
    for (;;) {
      const wanted = typeof demand === 'number' ? demand : demand();
      const batch = await source.pull(wanted);
      if (batch === undefined) break;
      expect(batch.items.length).toBeLessThanOrEqual(wanted);
      if (batch.items.length === 0) expect(batch.position.done).toBe(true);
      // As a store would keep it.
      const position = JSON.parse(JSON.stringify(batch.position)) as FilePosition;
      seen.push({ items: batch.items, lane: batch.lane as string, position });
    }
  } catch (reason) {
    failure = { reason };
    throw reason;
  } finally {
    await source.close(failure?.reason);
  }
  return seen;
}

export async function itemsOf<T>(
  source: FileSource<T>,
  options?: Parameters<typeof pullAll<T>>[1],
): Promise<T[]> {
  return (await pullAll(source, options)).flatMap((batch) => batch.items);
}

/** Writes all batches, flushes, closes; closes with the reason where something fails. Checks that all became durable. */
export async function writeAll<T>(sink: FileSink<T>, batches: Iterable<readonly T[]>): Promise<void> {
  const durables: Promise<void>[] = [];
  try {
    await sink.open();
    for (const batch of batches) durables.push(durableOf(await sink.write(batch)));
    await sink.flush();
    await Promise.all(durables);
  } catch (reason) {
    await sink.close(reason);
    throw reason;
  }
  await sink.close();
}

/** When a write is durable: at once, where it says nothing else. */
export function durableOf(answer: void | Accepted): Promise<void> {
  return answer?.durable ?? Promise.resolve();
}

/** Turns of the event loop until something has come about, and a few more for what follows from it. */
export async function until(isSo: () => boolean, more: number = 3): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
  for (let turn = 0; turn < more; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

export async function failureOf(
  promise: Promise<unknown>,
): Promise<Error & { code?: string; cause?: unknown }> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error('It was expected to fail, and did not.');
}
