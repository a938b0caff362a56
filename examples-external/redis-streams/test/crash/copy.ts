/** Copies one stream to another, exactly once, until it is killed: `node copy.js <url> <from> <to>`. */

import { ConcurrentPipeline, MemoryCheckpointStore, RateLimit } from '@streamweld/core';
import { type RedisEntry, RedisStreamSink, RedisStreamSource } from '../../src/index.ts';

const [connection = '', from = '', to = ''] = process.argv.slice(2);
const source = new RedisStreamSource({ connection, stream: from });
const sink = new RedisStreamSink<RedisEntry>({
  connection,
  stream: to,
  fields: ({ fields }) => fields,
  batching: { maxItems: 50 },
});
await new ConcurrentPipeline(source, sink)
  .bufferSize(200)
  // So that whoever kills it comes in time, on a busy machine too.
  .rateLimit(new RateLimit({ perSecond: 2500 }))
  .retry({ attempts: 20 })
  .checkpoint(new MemoryCheckpointStore(), 'copy')
  .run();
