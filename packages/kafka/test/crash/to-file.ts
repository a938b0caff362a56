/** Writes a topic into a file, at least once, until it has come to the end of it. It is killed by others at any moment. */

import { ConcurrentPipeline, from } from '@streamweld/core';
import { FileSink } from '@streamweld/file';
import { setTimeout as sleep } from 'node:timers/promises';
import { KafkaSource } from '../../src/source.ts';
import { drainAtTheEnd } from './at-the-end.ts';
import { tellProgress } from './progress.ts';
import { reachOf } from './reach.ts';

const [brokers, topic, groupId, path, fsync] = process.argv.slice(2) as [
  ...[brokers: string, topic: string, groupId: string, path: string],
  fsync: 'batch' | 'close',
];

const source = new KafkaSource({
  ...(await reachOf(brokers)),
  topics: topic,
  groupId,
  sessionTimeoutMs: 1500,
});
const utf8 = new TextDecoder();
const lines = from(source).map(({ value }) => utf8.decode(value ?? new Uint8Array()));

const sink = new FileSink(path, { append: true, fsync });
const write = sink.write.bind(sink);
// The disk would be done so soon that a kill came too late.
sink.write = async (...args) => {
  await sleep(30);
  return write(...args);
};
const pipeline = new ConcurrentPipeline(lines, sink).bufferSize(1000).commitEvery({ items: 500, ms: 50 });
drainAtTheEnd(source, pipeline);
const done = pipeline.run();
tellProgress(source, pipeline);
await done;
console.log('done');
