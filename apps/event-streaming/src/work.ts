/** A run with what it needs: Kafka, a Postgres and a cache, of the user's or of the app's own. */

import { OwnPostgres, Refusal } from '@streamweld/app-kit';
import type { GracefulShutdown } from '@streamweld/core';
import type { RunArguments } from './arguments.ts';
import { chooseCache } from './chosen-cache.ts';
import { Database } from './database.ts';
import { newHub } from './hub.ts';
import { seconds, whole } from '@streamweld/app-kit/numbers';
import { run } from './run.ts';
import { OwnServers } from './servers.ts';
import { Topics } from './topics.ts';

/** When it is over, well or not, no server of ours is left. @returns whether what must hold does. */
export async function work(given: RunArguments, shutdown: GracefulShutdown): Promise<boolean> {
  const begunAt = performance.now();
  const pace = given.rate === 0 ? 'as fast as it goes' : `${whole(given.rate)} a second`;
  print([`StreamWeld · ${whole(given.events)} departures, ${pace}, to ${given.enrichers + 3} processes`]);
  const wanted = { kafka: given.brokers === undefined, cache: given.redis === undefined, say };
  await using servers = await OwnServers.start(wanted, shutdown.signal);
  const brokers = given.brokers ?? ownBrokers(servers.kafka);
  await using own = given.postgres === undefined ? await ownPostgres(shutdown.signal) : undefined;
  const hub = newHub(brokers);
  await using _topics = await Topics.make(hub, given.brokers === undefined);
  await using database = await Database.open(given.postgres ?? (own as OwnPostgres).url);
  await using chosen = await chooseCache(given.redis, servers.cache, hub.run);
  const { kafka } = servers;
  print([
    `Kafka     ${brokers.join(', ')}, ${kafka !== undefined && 'how' in kafka ? `started here by ${kafka.how === 'java' ? 'Java' : 'Docker'}` : 'yours'}`,
    `Postgres  ${database.version}, ${own === undefined ? 'yours' : 'brought along'}`,
    `Cache     ${chosen.told}`,
  ]);
  shutdown.signal.throwIfAborted();
  const isProved = await run(given, { hub, database, chosen, shutdown, print, say });
  print(['', `Done after ${seconds(performance.now() - begunAt)}`]);
  return isProved;
}

function ownBrokers(kafka: OwnServers['kafka']): readonly string[] {
  if (kafka !== undefined && 'brokers' in kafka) return kafka.brokers;
  throw new Refusal(
    'EVENTS_KAFKA_UNAVAILABLE',
    `${kafka?.none ?? ''} Give the app a Kafka of yours by --brokers host:port, or install Java 17 and Maven, or Docker: then it starts one.`,
  );
}

function ownPostgres(signal: AbortSignal): Promise<OwnPostgres> {
  return OwnPostgres.start({
    signal,
    refuse: (reason) =>
      new Refusal(
        'EVENTS_POSTGRES_UNAVAILABLE',
        `The Postgres that the app brings along did not start: ${reason}. Give the app one of yours by --postgres URL or STREAMWELD_POSTGRES_URL.`,
      ),
  });
}

function print(lines: readonly string[]): void {
  process.stdout.write(`${lines.join('\n')}\n`);
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
