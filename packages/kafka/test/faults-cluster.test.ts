/** Several brokers, one of them down at a time: row 55 of the faults. */

import { Deferred } from '@streamweld/core/connector';
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
      // It reads as far as it is let: however long a broker takes, there is more to read.
      let [limit, goOn] = [0, new Deferred()];
      const letRead = (count: number): void => {
        limit = count;
        goOn.resolve();
        goOn = new Deferred();
      };
      let written = 0;
      const write = async (batch: readonly unknown[]): Promise<void> => {
        written += batch.length;
        while (written > limit) await goOn.promise;
      };
      const reader = run({ topics: topic }, { write, bufferSize: 100 });
      const readOn = (): Promise<void> => {
        const more = reader.records.length + 5000;
        letRead(more + 200);
        return reader.until(more);
      };
      const { service } = brokers();
      // One of the three is the coordinator, and each leads a partition.
      for (const broker of [1, 2, 3]) {
        await readOn();
        expect(reader.records.length).toBeLessThan(total);
        await service.crash(broker);
        // It goes on without it.
        await readOn();
        await service.restart(broker);
      }
      letRead(total);
      await expect
        .poll(() => new Set(numbers(reader.records)).size, { timeout: 60_000, interval: 20 })
        .toBe(total);
      await reader.end();
      expect(reader.records.length - total).toBe(0);
    }, 240_000);
  },
  { from: ['java'], brokers: 3 },
);
