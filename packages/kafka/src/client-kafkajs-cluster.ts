/**
 * What stands between a consumer of kafkajs and its cluster, which kafkajs hands to whoever shares partitions out:
 *
 *  - It has no call for partitions that are taken away. It looks for the coordinator before it joins again, and that
 *    look-up waits here until the work in flight is done.
 *  - Where an offset is out of range it goes to another one without a word, and commits that. Here that ends it.
 *  - A join that fails, as while the coordinator still loads the group, it does not try again where it can go on as the member
 *    that it was: it fetches, and the group hears of it, though its partitions were given up before. Here it tries again.
 *  - A fetch with nothing to read sleeps as long as one may wait for records, and a new member has nothing to read before a
 *    `seek`. Here its first fetch waits for that.
 *  - Where a topic is not there it looks again for as long as it takes, and goes on in what is called so then. Here that ends it.
 *  - Whoever takes the place of a consumer that has ended joins as somebody new, and the group waits for the old one until
 *    its session has timed out. Here it joins as the old one.
 *  - Its members in one process share what they know of committed offsets, and take it from each other. Here each has its own.
 *  - It takes a record for the end of a transaction by its key alone, and shows what was aborted behind it; likewise where a
 *    fetch begins within several transactions. Here what was aborted is found by what the broker says.
 */

import type { Broker, Cluster } from 'kafkajs';
import { hideAborted, type FetchedPartition } from './aborted.ts';

export interface ClusterHooks {
  /** It is about to join, for the first time or again, and waits for it. */
  onJoin(): Promise<void>;
  /** Whether it has begun to join again, and has not. */
  isJoiningAgain(): boolean;
  /** A topic that it fetches from is not there. */
  onUnknown(error: unknown): void;
  /** It is about to fetch, and waits for it. */
  onFetch(): Promise<void> | undefined;
  /** Who was there before, as long as the group may know it. */
  formerId: string | undefined;
}

/** Of a broker of kafkajs, what its types do not tell. */
interface BrokerMethods {
  joinGroup(request: { readonly memberId: string }): Promise<unknown>;
  syncGroup(request: unknown): Promise<unknown>;
  fetch(request: unknown): Promise<FetchAnswer>;
}

interface FetchAnswer {
  readonly responses: readonly { readonly partitions: readonly FetchedPartition[] }[];
}

export function guardCluster(given: Cluster, hooks: ClusterHooks): void {
  const cluster: Cluster & { committedOffsetsByGroup?: unknown } = given;
  cluster.committedOffsetsByGroup = new Map();
  keepOffsets(cluster);

  const guarded = new WeakSet<Broker>();
  const guard = (broker: Broker): Broker => {
    if (!guarded.has(broker)) guardBroker(broker as unknown as BrokerMethods, hooks);
    guarded.add(broker);
    return broker;
  };
  const findCoordinator = cluster.findGroupCoordinator.bind(cluster);
  cluster.findGroupCoordinator = async (group) => {
    await hooks.onJoin();
    return guard(await joining(hooks, () => findCoordinator(group)));
  };
  // Who shares partitions out looks for them first.
  const look = cluster.refreshMetadata.bind(cluster);
  cluster.refreshMetadata = () => joining(hooks, look);
  // With this a fetch begins.
  const refresh = cluster.refreshMetadataIfNecessary.bind(cluster);
  cluster.refreshMetadataIfNecessary = async () => {
    await hooks.onFetch();
    await refresh();
  };
  const findBroker = cluster.findBroker.bind(cluster);
  cluster.findBroker = async (node) => guard(await findBroker(node));
}

/** What fails in it and may pass is told in the one way that lets kafkajs begin the join again. */
async function joining<R>(hooks: ClusterHooks, step: () => Promise<R>): Promise<R> {
  try {
    return await step();
  } catch (error) {
    const { type, retriable } = error as { readonly type?: unknown; readonly retriable?: unknown };
    // It joins as somebody new.
    if (!hooks.isJoiningAgain() || retriable !== true || type === 'UNKNOWN_MEMBER_ID') throw error;
    throw Object.assign(new Error('The group could not be joined.', { cause: error }), {
      type: 'REBALANCE_IN_PROGRESS',
      retriable: true,
    });
  }
}

function guardBroker(broker: BrokerMethods, hooks: ClusterHooks): void {
  const askToJoin = broker.joinGroup.bind(broker);
  const join = (request: { readonly memberId: string }) => joining(hooks, () => askToJoin(request));
  const sync = broker.syncGroup.bind(broker);
  broker.syncGroup = (request) => joining(hooks, () => sync(request));
  broker.joinGroup = async (request) => {
    const { formerId } = hooks;
    if (request.memberId !== '' || formerId === undefined) return join(request);
    try {
      return await join({ ...request, memberId: formerId });
    } catch (error) {
      // Then it is joined as somebody new.
      if ((error as { type?: unknown }).type === 'UNKNOWN_MEMBER_ID') hooks.formerId = undefined;
      throw error;
    }
  };
  const fetch = broker.fetch.bind(broker);
  broker.fetch = async (request) => {
    const answer = await fetch(request).catch((error: unknown) => {
      if ((error as { type?: unknown }).type === 'UNKNOWN_TOPIC_OR_PARTITION') hooks.onUnknown(error);
      throw error;
    });
    for (const { partitions } of answer.responses) partitions.forEach(hideAborted);
    return answer;
  };
}

function keepOffsets(cluster: Cluster): void {
  const defaultOffset = cluster.defaultOffset.bind(cluster);
  const fetchOffsets = cluster.fetchTopicsOffset.bind(cluster);
  let isLookingUp = false;
  cluster.fetchTopicsOffset = (topics) => {
    // It asks for the default before it waits for anything. What it finds does not count: a `seek` follows.
    isLookingUp = true;
    try {
      return fetchOffsets(topics);
    } finally {
      isLookingUp = false;
    }
  };
  cluster.defaultOffset = (config) => {
    if (isLookingUp) return defaultOffset(config);
    throw Object.assign(new Error('An offset is out of range.'), {
      type: 'OFFSET_OUT_OF_RANGE',
      retriable: false,
    });
  };
}
