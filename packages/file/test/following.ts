/** Driving a source that follows: it never ends, so what is waited for is items, or looks. */

import {
  FileSource,
  type FilePosition,
  type FileError,
  type FileSystem,
  type FileSourceOptions,
} from '@streamweld/file';
import type { Format } from '@streamweld/formats';
import { expect, onTestFinished } from 'vitest';
import { contextOf, type Positions, type Pulled } from './driving.ts';
import { type FaultyLayer, type Faults, faultyLayer } from './file-layer.ts';

/** A file layer that knows when the source looks, and gives hints when a test says so. */
export interface LookedAt extends FaultyLayer {
  /** Settles when the source has begun to look that many times more: the last of them is not over yet. */
  looks(count: number): Promise<void>;
  hint(): void;
  readonly watched: string[];
}

export function lookedAt(path: string, faults: Faults = {}): LookedAt {
  const layer = faultyLayer(faults);
  let looks = 0;
  let waiting: { readonly from: number; readonly resolve: () => void }[] = [];
  const hints = new Set<() => void>();
  const watched: string[] = [];
  return Object.assign(layer, {
    watched,
    stat: async (at: string) => {
      if (at === path) {
        looks += 1;
        for (const wait of waiting.filter(({ from }) => looks >= from)) wait.resolve();
        waiting = waiting.filter(({ from }) => looks < from);
      }
      return nodeStat(at);
    },
    looks: (count: number) =>
      new Promise<void>((resolve) => {
        waiting.push({ from: looks + count, resolve });
      }),
    watchFolder: (folder: string, onChange: () => void) => {
      watched.push(folder);
      hints.add(onChange);
      return { close: () => void hints.delete(onChange) };
    },
    hint: () => {
      for (const call of hints) call();
    },
  });
}

const nodeStat = (path: string) => import('node:fs/promises').then(({ stat }) => stat(path));

export interface Followed<T> {
  readonly source: FileSource<T>;
  readonly notices: string[];
  /** The position of each lane after what was taken so far, as a store would keep it. */
  readonly positions: Map<string, FilePosition>;
  /** All that was handed out, with or without items. */
  readonly batches: Pulled<T>[];
  /** Pulls until there are so many items. */
  take(count: number, demand?: number): Promise<T[]>;
  /** The pull that is outstanding: its items, or nothing at the end. */
  pull(demand?: number): Promise<readonly T[] | undefined>;
  /** Stops with a pull outstanding, and closes. Answers the positions. */
  stop(): Promise<Positions>;
}

export async function follow<T = string>(
  paths: string | string[],
  options: Omit<FileSourceOptions, 'client'> & {
    readonly client?: FileSystem;
    readonly format?: Format<T, never>;
    readonly positions?: Positions;
    readonly signal?: AbortSignal;
  } = {},
): Promise<Followed<T>> {
  const { positions: from, signal, ...rest } = options;
  const notices: string[] = [];
  const onNotice = (notice: FileError): void => void notices.push(notice.code);
  const source = new FileSource<T>(paths, { follow: { pollMs: 1 }, onNotice, ...rest } as never);
  const positions = new Map(from);
  const batches: Pulled<T>[] = [];
  let isClosed = false;
  await source.open(contextOf(from, signal));
  onTestFinished(async () => {
    if (!isClosed) await source.close();
  });
  const next = async (demand: number): Promise<Pulled<T> | undefined> => {
    const batch = await source.pull(demand);
    if (batch === undefined) return undefined;
    expect(batch.items.length).toBeLessThanOrEqual(demand);
    const position = JSON.parse(JSON.stringify(batch.position)) as FilePosition;
    const pulled = { items: batch.items, lane: batch.lane as string, position };
    const before = positions.get(pulled.lane);
    // Within a lane positions only move forward.
    if (before !== undefined) expect(source.comparePositions(before, position)).toBeLessThanOrEqual(0);
    positions.set(pulled.lane, position);
    batches.push(pulled);
    return pulled;
  };
  return {
    source,
    notices,
    positions,
    batches,
    async take(count, demand = 1000) {
      const items: T[] = [];
      while (items.length < count) {
        const batch = await next(Math.min(demand, count - items.length));
        if (batch === undefined) throw new Error('The source has ended.');
        items.push(...batch.items);
      }
      return items;
    },
    async pull(demand = 1000) {
      for (;;) {
        const batch = await next(demand);
        if (batch === undefined || batch.items.length > 0) return batch?.items;
      }
    },
    async stop() {
      source.stop();
      expect(await source.pull(1)).toBeUndefined();
      isClosed = true;
      await source.close();
      return positions;
    },
  };
}
