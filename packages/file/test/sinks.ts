/** Places of files, for the suite of sinks: how FileSink writes to them, what goes wrong there, how they are read. */

import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { FileSink, type FileSinkOptions } from '@streamweld/file';
import type { SinkHarness } from '@streamweld/testing';
import { type FaultyLayer, faultyLayer, systemError } from './file-layer.ts';
import { type MortalLayer, mortalLayer } from './sink-driving.ts';

interface Kind {
  readonly suffix: string;
  readonly format?: 'lines' | 'ndjson';
  readonly options?: FileSinkOptions;
  /** Each sink has a file of its own, where one would replace what the one before it wrote. */
  readonly isApart?: boolean;
}

/** A folder, and the process of the sinks that write to it. */
export class Folder {
  readonly path: string = realpathSync(mkdtempSync(join(tmpdir(), 'streamweld-file-')));
  sinks = 0;
  isFailing = false;
  stalled: Promise<void> | undefined;
  #mortal: MortalLayer = mortalLayer(this.path);
  client: FaultyLayer = this.#faulty();

  async kill(): Promise<void> {
    await this.#mortal.die();
    this.#mortal = mortalLayer(this.path);
    this.client = this.#faulty();
  }

  #faulty(): FaultyLayer {
    const wait = async (): Promise<undefined> => {
      await this.stalled;
      return undefined;
    };
    const pass = async (): Promise<undefined> => {
      await wait();
      if (!this.isFailing) return undefined;
      this.isFailing = false;
      throw systemError('EIO');
    };
    // A sync that failed is final: what fails for a reason that passes is an open or a write.
    return faultyLayer(
      {
        open: pass as never,
        write: pass,
        datasync: wait,
        sync: wait,
        rename: wait,
        unlink: wait,
        truncate: wait,
      },
      this.#mortal,
    );
  }

  /** Files in the order of their sinks; of those that are not finished, what is whole. */
  lines(isApart: boolean): string[] {
    const names = readdirSync(this.path).filter((name) => !/\.(ledger|lock)(\.|$)/.test(name));
    const order = (name: string): number => Number.parseInt(basename(name).replace(/^\./, ''), 10);
    return names
      .toSorted((a, b) => order(a) - order(b))
      .flatMap((name) => {
        const bytes = readFileSync(join(this.path, name));
        const isZipped = /\.gz(\.|$)/.test(name) && bytes.length > 0;
        const text = (isZipped ? gunzipSync(bytes) : bytes).toString();
        const isUnfinished = isApart && name.endsWith('.tmp');
        return (isUnfinished ? text.slice(0, text.lastIndexOf('\n') + 1) : text)
          .split('\n')
          .slice(0, isUnfinished ? -1 : undefined);
      })
      .filter((line) => line !== '');
  }
}

function filesOf({ suffix, format = 'lines', options, isApart = false }: Kind): SinkHarness<unknown, Folder> {
  const sink = (place: Folder, number: number): FileSink<unknown> => {
    const path = join(place.path, `${number}.${suffix}`);
    // Small, so that a check can find its bounds.
    const room = { bufferBytes: 64 << 10, maxBufferedBytes: 256 << 10 };
    return new FileSink(path, {
      ...room,
      ...options,
      format,
      append: !isApart,
      client: place.client,
    } as never);
  };
  return {
    prepare: () => new Folder(),
    create: (place) => sink(place, isApart ? place.sinks++ : 0),
    createKeeping: (place) => sink(place, 0),
    item: (index) => (format === 'lines' ? `line number ${index}` : { index, text: `number ${index}` }),
    read: (place) =>
      place.lines(isApart).map((line): unknown => (format === 'lines' ? line : JSON.parse(line))),
    cleanUp: ({ path }) => rmSync(path, { recursive: true }),
    ...(format === 'ndjson' ? { badItem: (secret) => ({ secret, count: 1n }) } : undefined),
    interrupt: (place) => {
      place.isFailing = true;
    },
    stall: (place) => {
      let release = (): void => {};
      place.stalled = new Promise((resolve) => {
        release = resolve;
      });
      return () => {
        place.stalled = undefined;
        release();
      };
    },
    kill: (place) => place.kill(),
    deadlineMs: 2000,
    largeCount: 50_000,
  };
}

export const FILE_SINKS: Readonly<Record<string, SinkHarness<unknown, Folder>>> = {
  lines: filesOf({ suffix: 'log', isApart: true }),
  'lines behind others': filesOf({ suffix: 'log' }),
  'lines, each write synced': filesOf({ suffix: 'log', options: { fsync: 'batch' } }),
  'lines, little gathered': filesOf({ suffix: 'log', options: { bufferBytes: 64, maxBufferedBytes: 4096 } }),
  ndjson: filesOf({ suffix: 'ndjson', format: 'ndjson' }),
  gzip: filesOf({ suffix: 'log.gz' }),
};
