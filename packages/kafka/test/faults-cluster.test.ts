/** Several brokers, one of them down at a time: row 55 of the faults. */

import { expect, it } from 'vitest';
import { numbers, reading } from './reading.ts';
import { describeWithKafka } from './service.ts';

describeWithKafka(
  'KafkaSource on three brokers',
  (brokers) => {
    const { run, send, withAdmin } = reading(brokers);

    it('55 goes on when the coordinator of its group moves, and the leaders of its partitions', async () => {
      const topic = 'moved';
      await withAdmin((admin) =>
        admin.createTopics({
          waitForLeaders: true,
          topics: [{ topic, numPartitions: 3, replicationFactor: 3 }],
        }),
      );
      const total = 60_000;
      await send(
        topic,
        Array.from({ length: total }, (_, n) => ({ value: `value ${n}`, partition: n % 3 })),
      );
      let pace = 40;
      const write = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, pace));
      const reader = run({ topics: topic }, { write, bufferSize: 100 });
      const { service } = brokers();
      // One of the three is the coordinator, and each leads a partition.
      for (const broker of [1, 2, 3]) {
        const before = reader.records.length;
        await reader.until(before + 1000);
        expect(reader.records.length).toBeLessThan(total);
        await service.crash(broker);
        // It goes on without it.
        await reader.until(reader.records.length + 1000);
        await service.restart(broker);
      }
      pace = 0;
      await expect
        .poll(() => new Set(numbers(reader.records)).size, { timeout: 60_000, interval: 20 })
        .toBe(total);
      await reader.end();
      expect(reader.records.length - total).toBe(0);
    }, 240_000);
  },
  { from: ['java'], brokers: 3 },
);
