/** Copies while the wall clock jumps an hour forward and back again, many times a second. */

import { promises } from 'node:fs';
import { join } from 'node:path';

const HOUR = 3_600_000;
let shift = 0;
const RealDate = Date;
globalThis.Date = class extends RealDate {
  constructor(...values: [] | [number]) {
    super(values.length === 0 ? RealDate.now() + shift : values[0]);
  }
  static override now(): number {
    return RealDate.now() + shift;
  }
} as DateConstructor;

// What is copied with is loaded only now: it may keep the clock it found.
const { ConcurrentPipeline, MemoryCheckpointStore } = await import('@streamweld/core');
const { FileSink } = await import('@streamweld/file');

const folder = process.argv[2] ?? '';
let jumps = 0;
const jumping = setInterval(() => {
  jumps += 1;
  shift = [HOUR, 0, -HOUR, 0][jumps % 4] ?? 0;
}, 23);

const ITEMS = 60;
let refused = 0;
let commits = 0;
const begun = performance.now();

/** An item every ten milliseconds. */
const source = {
  async pull() {
    await new Promise((resolve) => setTimeout(resolve, 10));
    const next = this.at;
    if (next === ITEMS) return undefined;
    this.at = next + 1;
    return { items: [String(next)], position: next + 1 };
  },
  commit() {
    commits += 1;
  },
  at: 0,
};

/** The disk is away for two writes. */
const client = {
  ...promises,
  async open(...given: Parameters<typeof promises.open>) {
    const handle = await promises.open(...given);
    if (!String(given[0]).endsWith('.log')) return handle;
    return new Proxy(handle, {
      get(target, key) {
        const value: unknown = Reflect.get(target, key);
        if (typeof value !== 'function') return value;
        return (...values: unknown[]) => {
          if (key === 'write' && refused < 2 && source.at > 20) {
            refused += 1;
            throw Object.assign(new Error('EIO: injected'), { code: 'EIO' });
          }
          return value.apply(target, values) as unknown;
        };
      },
    });
  },
};

const sink = new FileSink(join(folder, 'out-{sequence}.log'), { client, roll: { everyMs: 150 } });
const report = await new ConcurrentPipeline(source, sink)
  .commitEvery({ items: 1_000_000, ms: 100 })
  .retry({ attempts: 4, backoff: { firstMs: 20 } })
  .checkpoint(new MemoryCheckpointStore(), 'clock')
  .run();
clearInterval(jumping);
console.log(
  JSON.stringify({
    jumps,
    refused,
    commits,
    written: report.written,
    ms: performance.now() - begun,
    reported: report.durationMs,
  }),
);
