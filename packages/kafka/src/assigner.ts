/** How a group shares its partitions out: by turns, to those who have subscribed to the topic. */

export interface Subscriber {
  readonly id: string;
  readonly topics: ReadonlySet<string>;
}

/** By member: the partitions of each topic. Each member has as many as any other, or one less, where all have subscribed to the same. */
export function assignPartitions(
  subscribers: readonly Subscriber[],
  partitionsOf: (topic: string) => readonly number[],
): Map<string, Record<string, number[]>> {
  // The same whatever the order in which they came.
  const members = [...subscribers].sort((a, b) => (a.id < b.id ? -1 : 1));
  const topics = [...new Set(members.flatMap((member) => [...member.topics]))].sort();
  const shares = new Map<string, Record<string, number[]>>(
    members.map(({ id }) => [id, Object.create(null) as Record<string, number[]>]),
  );
  let turn = 0;
  for (const topic of topics) {
    for (const partition of [...partitionsOf(topic)].sort((a, b) => a - b)) {
      // There is one: the topic is of somebody.
      while (members[turn % members.length]?.topics.has(topic) !== true) turn += 1;
      const share = shares.get((members[turn % members.length] as Subscriber).id) as Record<string, number[]>;
      (share[topic] ??= []).push(partition);
      turn += 1;
    }
  }
  return shares;
}
