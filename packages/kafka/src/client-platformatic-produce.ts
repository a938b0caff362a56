/**
 * The request to write, which is put together here:
 *
 *  - P10 The client writes the time of a record wrong that is more than 24 days away from the first of its batch.
 *  - P11 Its batches have one header of each name.
 */

import type { EncodedBatch, Requests } from './client-platformatic-requests.ts';
import type { Connection, PlatformaticModule, Writer } from './client-platformatic-shape.ts';

export function produce(
  { Writer, produceV9 }: PlatformaticModule,
  connection: Connection,
  [acks, timeoutMs, transactionalId, batches]: Requests['produceV9']['args'],
  callback: (error: Error | null, answer?: unknown) => void,
): void {
  const { api, parseResponse } = produceV9;
  const payload = (): Writer => {
    const writer = Writer.create().appendString(transactionalId).appendInt16(acks).appendInt32(timeoutMs);
    writeTopics(writer, batches);
    if (acks === 0) writer.context.noResponse = true;
    return writer;
  };
  connection.send(api.key, api.version, payload as () => never, parseResponse as never, true, true, callback);
}

/** Lengths are of one more than there are: none would be null. */
function writeTopics(writer: Writer, batches: readonly EncodedBatch[]): void {
  const topics = new Map<string, EncodedBatch[]>();
  for (const batch of batches) {
    const known = topics.get(batch.topic);
    if (known === undefined) topics.set(batch.topic, [batch]);
    else known.push(batch);
  }
  writer.appendUnsignedVarInt(topics.size + 1);
  for (const [topic, own] of topics) {
    writer.appendString(topic).appendUnsignedVarInt(own.length + 1);
    for (const { partition, bytes } of own) {
      writer
        .appendInt32(partition)
        .appendUnsignedVarInt(bytes.length + 1)
        .append(bytes)
        .appendTaggedFields();
    }
    writer.appendTaggedFields();
  }
  writer.appendTaggedFields();
}
