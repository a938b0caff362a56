/**
 * Batches that `@platformatic/kafka` has decoded, as records. What nobody is to see is left out here:
 *
 *  - P7 The client leaves out what was aborted by where the last of a producer's transactions began, and shows the earlier
 *    ones of the same fetch; likewise one whose end is not in the fetch.
 *  - P8 It takes the time of a record for that of its producer where the topic keeps the time of the broker.
 */

import type { Headers, IncomingRecord, TopicPartition } from './client.ts';
import type { FetchedBatch, FetchedPartition } from './client-platformatic-requests.ts';

const TIME_OF_BROKER = 1 << 3;
const IN_TRANSACTION = 1 << 4;
const IS_CONTROL = 1 << 5;

/** The key of an end of a transaction: the version, and whether it is an abort (0) or a commit (1), two bytes each. */
function isAbort({ records: [end] }: FetchedBatch): boolean {
  const key = end?.key;
  return key !== undefined && key !== null && key.length >= 4 && key.readInt16BE(2) === 0;
}

/** @param first what lies before it in its batch was fetched in vain. */
export function toRecords(
  place: TopicPartition,
  first: bigint,
  { records: batches = [], abortedTransactions }: FetchedPartition,
): { readonly records: IncomingRecord[]; readonly next: bigint } {
  const coming = [...abortedTransactions].sort((a, b) => (a.firstOffset < b.firstOffset ? -1 : 1));
  const aborted = new Set<bigint>();
  const records: IncomingRecord[] = [];
  let at = 0;
  let next = first;
  for (const batch of batches) {
    const end = batch.firstOffset + BigInt(batch.lastOffsetDelta) + 1n;
    for (let each = coming[at]; each !== undefined && each.firstOffset < end; each = coming[++at])
      aborted.add(each.producerId);
    if (end > next) next = end;
    if ((batch.attributes & IS_CONTROL) !== 0) {
      if (isAbort(batch)) aborted.delete(batch.producerId);
    } else if ((batch.attributes & IN_TRANSACTION) === 0 || !aborted.has(batch.producerId)) {
      readBatch(place, first, batch, records);
    }
  }
  return { records, next };
}

function readBatch(
  { topic, partition }: TopicPartition,
  first: bigint,
  { firstOffset, attributes, firstTimestamp, maxTimestamp, records }: FetchedBatch,
  into: IncomingRecord[],
): void {
  const isOfBroker = (attributes & TIME_OF_BROKER) !== 0;
  // Those of one batch are near to each other.
  const base = Number(firstTimestamp);
  const brokerTime = Number(maxTimestamp);
  for (const { offsetDelta, timestampDelta, key, value, headers } of records) {
    const offset = firstOffset + BigInt(offsetDelta);
    if (offset < first) continue;
    into.push({
      topic,
      partition,
      offset: String(offset),
      key,
      value,
      headers: headers.length === 0 ? {} : toHeaders(headers),
      timestamp: isOfBroker ? brokerTime : base + Number(timestampDelta),
    });
  }
}

/** Of one name there may be several. */
function toHeaders(pairs: FetchedBatch['records'][number]['headers']): Headers {
  const headers: Record<string, Buffer | Buffer[]> = {};
  for (const [name, given] of pairs) {
    const key = String(name ?? '');
    const value = given ?? Buffer.alloc(0);
    const known = Object.hasOwn(headers, key) ? headers[key] : undefined;
    if (known === undefined) Object.defineProperty(headers, key, { value, ...PLAIN });
    else if (Array.isArray(known)) known.push(value);
    else headers[key] = [known, value];
  }
  return headers;
}

/** As an assignment makes it, whatever the name: one may be called `__proto__`. */
const PLAIN = { enumerable: true, writable: true, configurable: true } as const;
