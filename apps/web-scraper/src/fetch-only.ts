/** The same addresses, fetched in the same way and not parsed: what requests alone would take. */

import { ConcurrentPipeline, count, from, type GracefulShutdown } from '@streamweld/core';
import { Fetcher, type FetcherOptions } from './fetcher.ts';
import { threadCpuMs } from './thread-cpu.ts';

export interface FetchedOnly {
  readonly pages: number;
  readonly ms: number;
  /** What the main thread took of a processor, in milliseconds. */
  readonly mainMs: number;
}

export async function fetchOnly(
  addresses: readonly string[],
  options: FetcherOptions,
  shutdown: GracefulShutdown,
): Promise<FetchedOnly> {
  const fetcher = new Fetcher(options);
  const fetched = from(addresses).map((address) => fetcher.get(address, { isWanted: () => true }), {
    concurrency: options.perHost,
    ordered: false,
  });
  const before = threadCpuMs();
  try {
    const { written: pages, durationMs: ms } = await shutdown.run(new ConcurrentPipeline(fetched, count()));
    return { pages, ms, mainMs: threadCpuMs() - before };
  } finally {
    await fetcher.close();
  }
}
