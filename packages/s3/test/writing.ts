/** Sinks driven by hand, and what they left, read back by the SDK alone. */

import { gunzipSync } from 'node:zlib';
import type { Accepted, Sink, SinkContext } from '@streamweld/core';
import type { LedgerContent } from '../src/ledger.ts';
import { openStore } from '../src/open-store.ts';
import { checkReach } from '../src/options.ts';
import { patiently } from '../src/patience.ts';
import type { Buckets } from './service.ts';

export interface Item {
  readonly id: number;
  readonly text?: string;
}

export function items(from: number, to: number): Item[] {
  return Array.from({ length: to - from }, (_, index) => ({ id: from + index }));
}

/** One sink as a run drives it. */
export class Driven<T = Item> {
  readonly sink: Sink<T>;
  readonly controller: AbortController = new AbortController();
  /** What it told by itself. */
  readonly failures: unknown[] = [];

  constructor(sink: Sink<T>) {
    this.sink = sink;
  }

  async open(more: Partial<SinkContext> = {}): Promise<this> {
    await this.sink.open?.({
      signal: this.controller.signal,
      fail: (error) => this.failures.push(error),
      ...more,
    });
    return this;
  }

  async write(
    batch: readonly T[],
    {
      positions,
      attempt = 1,
      signal = this.controller.signal,
    }: { positions?: Readonly<Record<string, unknown>>; attempt?: number; signal?: AbortSignal } = {},
  ): Promise<Accepted | undefined> {
    const context = {
      signal,
      attempt,
      positions: positions && new Map(Object.entries(positions)),
      defer: () => {
        throw new Error('It is not to defer.');
      },
    };
    const answer = (await this.sink.write(batch, context)) ?? undefined;
    answer?.durable.catch(() => {});
    return answer;
  }

  async positions(): Promise<ReadonlyMap<string, unknown> | undefined> {
    return this.sink.positions?.();
  }

  async flush(): Promise<void> {
    await this.sink.flush?.();
  }

  async close(reason?: unknown): Promise<void> {
    await this.sink.close?.(reason);
  }

  /** As a run that fails does. */
  async abort(): Promise<void> {
    this.controller.abort(new Error('The run was aborted.'));
    await this.close(new Error('The run was aborted.'));
  }
}

/** The keys of a sink's objects, without its ledger. */
export async function objectKeys(buckets: Buckets, prefix: string): Promise<string[]> {
  return (await buckets.keys(prefix)).filter((key) => !key.endsWith('ledger.json'));
}

/** Items of all objects, in the order of the keys. */
export async function readItems(buckets: Buckets, prefix: string): Promise<Item[]> {
  const found: Item[] = [];
  for (const key of await objectKeys(buckets, prefix)) found.push(...(await readObject(buckets, key)));
  return found;
}

export async function readObject(buckets: Buckets, key: string): Promise<Item[]> {
  const bytes = await buckets.read(key);
  const text = String(key.endsWith('.gz') ? gunzipSync(bytes) : bytes);
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Item);
}

/**
 * As whoever reads it in the middle of a run. Some stores answer with the content of one moment and the checksum of another
 * while an object is replaced: then it is read again.
 */
export async function readLedger({ bucket, reach }: Buckets, key: string): Promise<LedgerContent> {
  const store = openStore(checkReach(reach, 'a reader'));
  const { signal } = new AbortController();
  try {
    return await patiently(10_000, signal, async () => {
      const chunks: Uint8Array[] = [];
      for await (const chunk of (await store.get({ bucket, key }, signal)).chunks) chunks.push(chunk);
      return JSON.parse(String(Buffer.concat(chunks))) as LedgerContent;
    });
  } finally {
    store.close();
  }
}
