/** Copies a topic into another, exactly once, until it has come to the end of it. It is killed by others at any moment. */

import { type CheckpointStore, ConcurrentPipeline } from '@streamweld/core';
import type { KafkaRecord } from '../../src/record.ts';
import { KafkaSink } from '../../src/sink.ts';
import { KafkaSource } from '../../src/source.ts';
import { drainAtTheEnd } from './at-the-end.ts';
import { tellProgress } from './progress.ts';
import { reachOf } from './reach.ts';

const [brokers, from, to] = process.argv.slice(2) as [string, string, string];
const reach = await reachOf(brokers);

/** Never asked for anything: the offsets are committed by the transactions. */
const store: CheckpointStore = {
  load: () => Promise.resolve(new Map()),
  save: () => Promise.resolve(),
};

const source = new KafkaSource({
  ...reach,
  topics: from,
  groupId: to,
  commitBy: 'sink',
  sessionTimeoutMs: 1500,
});
const sink = new KafkaSink<KafkaRecord>({
  ...reach,
  topic: to,
  key: ({ partition }) => `${partition}`,
  value: ({ value }) => value,
  transactionalId: to,
});
const pipeline = new ConcurrentPipeline(source, sink).bufferSize(1000).checkpoint(store, to);
drainAtTheEnd(source, pipeline);
const done = pipeline.run();
tellProgress(source, pipeline);
await done;
console.log('done');
