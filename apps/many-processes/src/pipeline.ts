/** The dispatcher that all processes build alike, and what each of them does with its share. */

import type { Sink } from '@streamweld/core';
import { createHash } from 'node:crypto';
import { KafkaDispatchedPipelineBuilder, type KafkaDispatcher } from '@streamweld/kafka';
import type { Rule } from './arguments.ts';

export interface Job {
  readonly id: number;
  /** Jobs of one customer are done in order, by the rule `partition`. */
  readonly customer: number;
}

export const CUSTOMERS = 1000;

export interface Hub {
  readonly brokers: string;
  readonly topic: string;
  readonly partitions: number;
}

export function buildDispatcher({ brokers, topic, partitions }: Hub, rule: Rule): KafkaDispatcher<Job> {
  const builder = new KafkaDispatchedPipelineBuilder<Job>({
    brokers,
    topic,
    name: topic,
    // Whoever is killed is missed after so long, and others have its share.
    sessionTimeoutMs: 6000,
  });
  return rule === 'partition' ? builder.partition(partitions, ({ customer }) => customer) : builder[rule]();
}

/** Works on each job for some rounds of SHA-256, and tells which it has done. */
export function worker(rounds: number, done: (jobs: readonly Job[]) => Promise<void>): Sink<Job> {
  return {
    name: 'worker',
    // A write that is done is told of: small ones, so that others see how far it is.
    batching: { maxItems: 500 },
    write: (jobs) => {
      for (const { id } of jobs) {
        let text = `${id}`;
        for (let round = 0; round < rounds; round++) text = createHash('sha256').update(text).digest('hex');
      }
      return done(jobs);
    },
  };
}
