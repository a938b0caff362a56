/** The sink that counts, for Prometheus. */

import type { Sink, SinkStatus } from '@streamweld/core';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Entry } from './entry.ts';

export class Metrics implements Sink<Entry> {
  readonly name = 'metrics';
  readonly atomic = true;
  readonly concurrency = 1;
  readonly #registry = new Registry();
  readonly #entries = new Counter({
    name: 'logs_entries_total',
    help: 'Entries, by service and level.',
    labelNames: ['service', 'level'],
    registers: [this.#registry],
  });
  readonly #bytes = new Counter({
    name: 'logs_bytes_total',
    help: 'Bytes of the lines, without their ends.',
    labelNames: ['service'],
    registers: [this.#registry],
  });
  readonly #seconds = new Histogram({
    name: 'logs_request_seconds',
    help: 'How long requests took, where the log tells.',
    labelNames: ['service'],
    buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5],
    registers: [this.#registry],
  });

  /** Also tells how the sinks are doing, at the moment it is asked. */
  watch(sinks: () => readonly SinkStatus[]): void {
    const gauge = (name: string, help: string, value: (status: SinkStatus) => number) =>
      new Gauge({
        name,
        help,
        labelNames: ['sink'],
        registers: [this.#registry],
        collect() {
          for (const status of sinks()) this.set({ sink: status.name }, value(status));
        },
      });
    gauge('logs_sink_delivered', 'Entries that a sink has accepted.', ({ delivered }) => delivered);
    gauge(
      'logs_sink_waiting',
      'Entries that wait for a sink, or are being written.',
      (status) => status.buffered + status.inFlight,
    );
  }

  write(batch: readonly Entry[]): void {
    for (const { service, level, raw, ms } of batch) {
      this.#entries.inc({ service, level });
      this.#bytes.inc({ service }, Buffer.byteLength(raw));
      if (ms !== undefined) this.#seconds.observe({ service }, ms / 1000);
    }
  }

  /** As Prometheus reads them. */
  async exposition(): Promise<{ readonly type: string; readonly text: string }> {
    return { type: this.#registry.contentType, text: await this.#registry.metrics() };
  }
}
