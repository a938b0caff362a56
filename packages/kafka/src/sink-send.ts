/** Sends what was planned, round by round, and finds the records that a broker refuses. */

import { runtime, type StreamWeldError } from '@streamweld/core/connector';
import type { OutgoingBatch, SendFailure } from './client.ts';
import { isRefusal } from './errors.ts';
import type { Pace } from './sink-pace.ts';
import { type Chunk, halve, nextRound, type Plan } from './sink-plan.ts';
import type { Topics } from './sink-topics.ts';

/** A producer, or a transaction of one. */
export interface Sender {
  send(batches: readonly OutgoingBatch[]): Promise<readonly SendFailure[]>;
}

export interface Sent {
  /** Items that are written, by their index. */
  readonly done: Set<number>;
  /** Items that cannot be written, and why. */
  readonly bad: Map<number, StreamWeldError>;
  /** Why the rest is not written, or not known to be. */
  readonly failure: StreamWeldError | undefined;
}

export async function sendPlan(sender: Sender, plan: Plan, topics: Topics, pace: Pace): Promise<Sent> {
  const done = new Set<number>();
  const { bad } = plan;
  let failure: StreamWeldError | undefined;

  async function send(round: readonly Chunk[]): Promise<void> {
    const begun = runtime.now();
    const failures = await sender.send(round);
    pace.took(bytesOf(round), runtime.now() - begun);
    const refused: Chunk[] = [];
    for (const chunk of round) {
      const error = failures.find(
        ({ topic, partition }) => topic === chunk.topic && partition === chunk.partition,
      )?.error;
      if (error === undefined) for (const index of chunk.indexes) done.add(index);
      else if (!isRefusal(error)) failure ??= error;
      else if (chunk.records.length === 1) bad.set(chunk.indexes[0] as number, error);
      else {
        learnFrom(error, chunk, topics);
        refused.push(chunk);
      }
    }
    // In order, and before anything else of the partition.
    for (const chunk of refused) {
      for (const half of halve(chunk)) if (failure === undefined) await send([half]);
    }
  }

  for (;;) {
    const round = nextRound(plan, pace.bytes);
    if (round.length === 0) break;
    await send(round);
    // Another producer, that would go on behind a gap, does not keep the order.
    if (failure !== undefined) break;
  }
  return { done, bad, failure };
}

function bytesOf(round: readonly Chunk[]): number {
  let bytes = 0;
  for (const chunk of round) bytes += chunk.bytes;
  return bytes;
}

/** The next chunks of a topic that takes less than was thought are smaller. */
function learnFrom(error: StreamWeldError, { topic, bytes }: Chunk, topics: Topics): void {
  const known = topics.get(topic);
  if (known === undefined || error.code !== 'SW_KAFKA_RECORD_TOO_LARGE') return;
  known.maxBatchBytes = Math.min(known.maxBatchBytes, Math.ceil(bytes / 2));
}
