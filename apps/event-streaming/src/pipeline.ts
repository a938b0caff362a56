/** What flows where: through two topics, between processes. Each part is built here and run elsewhere. */

import {
  ConcurrentPipeline,
  from,
  MemoryCheckpointStore,
  type RetryOptions,
  type Sink,
} from '@streamweld/core';
import {
  decoding,
  KafkaDispatchedPipelineBuilder,
  type KafkaDispatcher,
  KafkaSink,
  KafkaSource,
} from '@streamweld/kafka';
import type { Departure } from './departures.ts';
import type { EnrichedDeparture } from './enrich.ts';
import { broadcastName, departuresTopic, enrichedTopic, type Hub, SESSION_MS } from './hub.ts';
import { ProjectionSink } from './projection-sink.ts';

/** Told of what a service has done, in the order in which it did it. */
export type Did = (departures: readonly Departure[]) => Promise<void>;

/** A write is told of when it is done: small ones, so that others see how far it is. */
const BATCH_SIZE = 500;

/** A database or a cache that is away for a while: some ten seconds, longer than it takes to start again. */
export const OUTAGES: RetryOptions = { attempts: 20, backoff: { firstMs: 50, maxMs: 1000 } };

/** Departures to the enrichers: each airport has one of them at a time, whichever are there. */
export function departuresDispatcher(hub: Hub): KafkaDispatcher<Departure> {
  return new KafkaDispatchedPipelineBuilder<Departure>({
    brokers: hub.brokers,
    topic: departuresTopic(hub),
    name: `enrichers-${hub.run}`,
    sessionTimeoutMs: SESSION_MS,
    // Whoever subscribed says it.
    logger: null,
  }).partition(hub.partitions, ({ airport }) => airport);
}

/** What is enriched to every service: each has a group of its own, and so gets all of it. */
export function enrichedDispatcher(hub: Hub): KafkaDispatcher<EnrichedDeparture> {
  return new KafkaDispatchedPipelineBuilder<EnrichedDeparture>({
    brokers: hub.brokers,
    topic: enrichedTopic(hub),
    name: broadcastName(hub),
    sessionTimeoutMs: SESSION_MS,
    logger: null,
  }).broadcast();
}

/** The input, as live as it is wanted. @param perSecond how many departures; 0: as fast as it goes. */
export function feeding(
  departures: readonly Departure[],
  perSecond: number,
  dispatcher: KafkaDispatcher<Departure>,
): ConcurrentPipeline<Departure> {
  const flow = from(departures);
  return new ConcurrentPipeline(
    perSecond === 0 ? flow : flow.throttle(perSecond, { perMs: 1000 }),
    dispatcher.createSink(),
  )
    .name('departures')
    .bufferSize(4 * BATCH_SIZE);
}

/** The sink of an enricher: it writes on into the second topic, and has done only what that has. */
export function enriching(
  hub: Hub,
  enrich: (departure: Departure) => EnrichedDeparture,
  did: Did,
): Sink<Departure> {
  const next = new KafkaSink<EnrichedDeparture>({
    brokers: hub.brokers,
    topic: enrichedTopic(hub),
    key: ({ airport }) => airport,
  });
  return {
    name: 'enricher',
    concurrency: 1,
    batching: { maxItems: BATCH_SIZE },
    open: (context) => next.open(context),
    async write(batch, context) {
      await next.write(batch.map(enrich), context);
      await did(batch);
    },
    close: (reason) => next.close(reason),
  };
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * The projection: a group of the broadcast that is read by hand, since its positions are not left to Kafka. They are in the
 * transaction of their rows, so that no crash and no restart counts a departure twice; what an enricher sent twice has the
 * same key.
 * @param connection of Postgres
 */
export function projecting(hub: Hub, connection: string, did: Did): ConcurrentPipeline<EnrichedDeparture> {
  const source = new KafkaSource({
    brokers: hub.brokers,
    topics: enrichedTopic(hub),
    groupId: `${broadcastName(hub)}.projection`,
    sessionTimeoutMs: SESSION_MS,
  });
  const toDeparture = decoding(
    ({ value }) => JSON.parse(utf8.decode(value ?? undefined)) as EnrichedDeparture,
  );
  return new ConcurrentPipeline(from(source).validate(toDeparture), new ProjectionSink(connection, did))
    .name('projection')
    .bufferSize(4 * BATCH_SIZE)
    .retry(OUTAGES)
    .checkpoint(new MemoryCheckpointStore(), `projection-${hub.run}`);
}
