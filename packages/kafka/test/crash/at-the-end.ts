/** When a topic that nobody writes to any more has been read to its end. */

import type { KafkaSource } from '../../src/source.ts';

/** Drains the run once all partitions were handed out to their ends. It has to have them all. */
export function drainAtTheEnd(source: KafkaSource, pipeline: { drain(): Promise<unknown> }): void {
  const timer = setInterval(() => {
    const lags = source.lag();
    if (lags.length === 0 || lags.some(({ lag }) => lag > 0)) return;
    clearInterval(timer);
    void pipeline.drain();
  }, 50);
}
