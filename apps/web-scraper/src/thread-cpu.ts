/** What a thread took of a processor. By the clock on the wall, a busy machine would be told and not the work. */

import { readFileSync } from 'node:fs';

/** @returns milliseconds of the thread that asks, from whenever; by the clock on the wall where the system does not tell */
export function threadCpuMs(): number {
  try {
    return Number(readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ')[0]) / 1e6;
  } catch {
    return performance.now();
  }
}
